// Sound in and out: playing what is made while the rest is made, recording a clip, files, a picture of the wave.

// Plays chunks one after the other, without gaps as long as they come fast enough.
export class Player {
  #context;
  #end = 0;
  #sources = new Set();
  // Where each chunk lies: {from, until} on the context's clock, `at` seconds of the speech.
  #parts = [];
  onended = () => {};

  // To be called by the user's click, without which browsers play nothing.
  open(rate) {
    if (this.#context?.sampleRate !== rate) {
      this.#context?.close();
      this.#context = new AudioContext({ sampleRate: rate });
    }
    this.#context.resume();
    this.stop();
  }

  add(samples) {
    if (!samples.length) return;
    const buffer = this.#context.createBuffer(1, samples.length, this.#context.sampleRate);
    buffer.copyToChannel(samples, 0);
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    // A little ahead, so that a chunk that comes late does not start in the past.
    this.#end = Math.max(this.#end, this.#context.currentTime + 0.05);
    source.start(this.#end);
    const before = this.#parts.at(-1);
    this.#parts.push({ from: this.#end, until: this.#end + buffer.duration, at: before ? before.at + before.until - before.from : 0 });
    this.#end += buffer.duration;
    this.#sources.add(source);
    source.onended = () => {
      this.#sources.delete(source);
      if (!this.#sources.size) this.onended();
    };
  }

  get playing() { return this.#sources.size > 0; }

  // Seconds of the speech that have been heard.
  get position() {
    const now = this.#context?.currentTime ?? 0;
    const part = this.#parts.findLast(({ from }) => from <= now);
    return part ? part.at + Math.min(now, part.until) - part.from : 0;
  }

  stop() {
    for (const source of this.#sources) {
      source.onended = null;
      source.stop();
    }
    this.#sources.clear();
    this.#parts = [];
    this.#end = 0;
    this.onended();
  }
}

// Records the microphone; `stop` gives {samples, rate}.
export async function record() {
  if (!navigator.mediaDevices) throw new Error("This page has no microphone: open it over https or on localhost.");
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  const context = new AudioContext();
  await context.audioWorklet.addModule("recorder.js");
  const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  const parts = [];
  node.port.onmessage = ({ data }) => parts.push(data);
  context.createMediaStreamSource(stream).connect(node);
  return {
    async stop() {
      stream.getTracks().forEach(track => track.stop());
      const rate = context.sampleRate;
      await context.close();
      return { samples: joined(parts), rate };
    },
  };
}

// A file that the model's own decoders cannot read, as the browser's read it.
export async function decode(bytes) {
  const context = new OfflineAudioContext(1, 1, 44100);
  const buffer = await context.decodeAudioData(bytes.slice().buffer);
  const samples = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const values = buffer.getChannelData(channel);
    for (let i = 0; i < samples.length; i++) samples[i] += values[i] / buffer.numberOfChannels;
  }
  return { samples, rate: buffer.sampleRate };
}

export function joined(parts) {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

// A WAV file of 16 bits, mono.
export function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((v, i) => view.setInt16(44 + 2 * i, Math.max(-1, Math.min(1, v)) * 32767, true));
  return new Uint8Array(view.buffer);
}

// The wave as bars over the canvas's width; the first `heard` samples stand out from the rest.
export function draw(canvas, samples, heard = samples.length) {
  const scale = devicePixelRatio || 1;
  const width = canvas.width = canvas.clientWidth * scale;
  const height = canvas.height = canvas.clientHeight * scale;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  if (!samples.length) return;
  const bar = 3 * scale, step = 4 * scale, bars = Math.floor(width / step);
  const peaks = peaksOf(samples, bars);
  const loudest = Math.max(...peaks, 0.05);
  const style = getComputedStyle(canvas);
  peaks.forEach((peak, i) => {
    const tall = Math.max(2 * scale, peak / loudest * height * 0.9);
    pen.fillStyle = i * samples.length < heard * bars ? style.color : style.borderColor;
    pen.beginPath();
    pen.roundRect(i * step, (height - tall) / 2, bar, tall, bar / 2);
    pen.fill();
  });
}

let drawn = {};
function peaksOf(samples, bars) {
  if (drawn.samples !== samples || drawn.peaks.length !== bars) {
    const peaks = Array.from({ length: bars }, (_, i) => {
      let peak = 0;
      const end = Math.floor((i + 1) * samples.length / bars);
      for (let at = Math.floor(i * samples.length / bars); at < end; at++) peak = Math.max(peak, Math.abs(samples[at]));
      return peak;
    });
    drawn = { samples, peaks };
  }
  return drawn.peaks;
}
