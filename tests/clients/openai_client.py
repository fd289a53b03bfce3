"""The `openai` package against a server: python tests/clients/openai_client.py URL [--key KEY] [--model NAME]."""
import argparse
import base64
import io
import json
import wave

import openai

TEXT = "HELLO WORLD. THIS IS A TEST. IT HAS THREE SENTENCES."
# Quick speech; these fields are not OpenAI's.
QUICK = {"seed": 7, "steps": 2, "beams": 1, "max_codes": 60, "segment_tokens": 20}


def check(name, holds):
    print(f"{'ok' if holds else 'FAILED'}  {name}")
    if not holds:
        raise SystemExit(1)


def samples(data):
    with wave.open(io.BytesIO(data)) as file:
        return file.readframes(file.getnframes())


def refused(name, kind, call):
    try:
        call()
    except kind as error:
        check(f"{name}: {error.status_code} {error.code}", bool(error.message))
    else:
        check(f"{name}: no error", False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--key", default="none")
    parser.add_argument("--model", default="tts-1")
    args = parser.parse_args()
    client = openai.OpenAI(base_url=f"{args.url}/v1", api_key=args.key, max_retries=0)

    models = [model.id for model in client.models.list()]
    check(f"models: {models}", len(models) == 1)
    voice = client.get("/audio/voices", cast_to=object)["data"][0]["id"]

    def speak(**fields):
        fields = {"model": args.model, "voice": voice, "input": TEXT, "extra_body": QUICK} | fields
        return client.audio.speech.create(**fields)

    whole = speak(response_format="wav").content
    check(f"speech: {len(samples(whole)) // 2} samples", len(samples(whole)) > 10_000)
    check("same seed, same bytes", speak(response_format="wav").content == whole)
    # As the package's documentation writes it; the first voice speaks.
    documented = speak(model="gpt-4o-mini-tts", voice="alloy", instructions="Speak cheerfully.", response_format="wav")
    check("a voice of OpenAI's and instructions", len(samples(documented.content)) > 10_000)
    pcm = speak(response_format="pcm").content
    check("pcm holds the samples of wav", pcm == samples(whole))
    check("flac", speak(response_format="flac").content[:4] == b"fLaC")

    pieces = []
    streaming = client.audio.speech.with_streaming_response
    body = QUICK | {"stream": True}
    fields = {"model": args.model, "voice": voice, "input": TEXT, "response_format": "pcm", "extra_body": body}
    with streaming.create(**fields) as answer:
        pieces.extend(answer.iter_bytes())
    streamed = b"".join(pieces)
    near = abs(len(streamed) - len(pcm)) < len(pcm) / 20
    check(f"stream of {len(pieces)} pieces is as long as the whole", near and len(pieces) > 1)

    with streaming.create(**(fields | {"extra_body": QUICK}), stream_format="sse") as answer:
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    audio = b"".join(base64.b64decode(event["audio"]) for event in events if event["type"] == "speech.audio.delta")
    check("server-sent events hold the samples of the stream", audio == streamed and events[-1]["type"] == "speech.audio.done")

    refused("unknown voice", openai.NotFoundError, lambda: speak(voice="nobody at all"))
    refused("unknown model", openai.NotFoundError, lambda: speak(model="gpt-9"))
    refused("mp3", openai.BadRequestError, lambda: speak(response_format="mp3"))
    refused("no text", openai.BadRequestError, lambda: speak(input=" "))


if __name__ == "__main__":
    main()
