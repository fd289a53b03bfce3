"""The `websockets` package against a server: python tests/clients/websocket_client.py URL [--key KEY].

Writes a text word by word, as a language model does, hears it as it is made, cancels, and goes on.
"""
import argparse
import asyncio
import json
import urllib.request

import websockets

TEXT = "The rain stopped in the night. In the morning the streets were dry. Nobody remembered the storm."


def check(name, holds):
    print(f"{'ok' if holds else 'FAILED'}  {name}")
    if not holds:
        raise SystemExit(1)


async def tell(socket, **message):
    await socket.send(json.dumps(message))


async def hear(socket, until):
    """Audio, and the messages up to one of type `until`."""
    audio, pieces, kinds = b"", 0, []
    async for message in socket:
        if isinstance(message, bytes):
            audio, pieces = audio + message, pieces + 1
            continue
        message = json.loads(message)
        kinds.append(message["type"])
        if message["type"] in (until, "error"):
            return audio, pieces, message, kinds
    raise SystemExit(f"closed before {until}: {kinds}")


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--key")
    args = parser.parse_args()
    address = args.url.replace("http", "ws", 1) + "/v1/audio/speech/ws"
    headers = {"Authorization": f"Bearer {args.key}"} if args.key else {}
    voices = urllib.request.urlopen(urllib.request.Request(f"{args.url}/v1/audio/voices", headers=headers))
    voice = json.load(voices)["data"][0]["id"]
    connect = lambda: websockets.connect(address, additional_headers=headers, proxy=None)

    spoken = []
    for _ in range(2):
        async with connect() as socket:
            *_, ready, _ = await hear(socket, "ready")
            await tell(socket, type="start", voice=voice, seed=3)
            for word in TEXT.split(" "):
                await tell(socket, type="text", text=word + " ")
                await asyncio.sleep(0.01)
            await tell(socket, type="end")
            audio, pieces, _, kinds = await hear(socket, "done")
            spoken.append(audio)
            await socket.wait_closed()
            check(f"{len(audio) / 2 / ready['sample_rate']:.1f} s in {pieces} pieces, {kinds.count('spoken')} times spoken, closed with "
                  f"{socket.close_code}", pieces >= 3 and len(audio) > 2 * ready["sample_rate"] and socket.close_code == 1000)
    # Where the text is cut between two hand-overs depends on the time, so only the length is nearly the same.
    check("twice the same speech", abs(len(spoken[0]) - len(spoken[1])) < len(spoken[0]) / 5)

    async with connect() as socket:
        await hear(socket, "ready")
        await tell(socket, type="start", voice=voice)
        await tell(socket, type="text", text=" ".join([TEXT] * 20))
        while not isinstance(await socket.recv(), bytes):
            pass
        await tell(socket, type="cancel")
        late, *_ = await hear(socket, "cancelled")
        await tell(socket, type="text", text="Good morning.")
        await tell(socket, type="flush")
        audio, *_ = await hear(socket, "spoken")
        check(f"cancelled: {len(late)} bytes were on their way, then {len(audio)} of the next text", 0 < len(audio) < 400_000)
        await tell(socket, type="nonsense")
        *_, error, _ = await hear(socket, "error")
        check(f"nonsense is told: {error['error']['message']}", "nonsense" in error["error"]["message"])


asyncio.run(main())
