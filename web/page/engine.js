// Where speech is made: a worker of this page, or the server that the page came from. Both have the same functions.

export const simd = () => WebAssembly.validate(new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]));

// What WebGPU gives this page: "hardware", "software" (slower than the processor itself), or nothing.
export async function gpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return adapter && (adapter.info.isFallbackAdapter ? "software" : "hardware");
}

export class Local {
  #worker;
  #waiting = new Map();
  #last = 0;
  #flag;

  // options: `shard`, bytes of a file that are read at a time.
  constructor(build, threads, options = {}) {
    this.build = build;
    this.threads = threads;
    this.options = options;
  }

  async start() {
    this.#flag = globalThis.crossOriginIsolated ? new SharedArrayBuffer(4) : null;
    this.#worker = new Worker("worker.js", { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = event => this.#fail(event.message ?? "the worker could not be started");
    await this.#call("start", { build: this.build, threads: this.threads, flag: this.#flag, options: this.options });
  }

  // Ends the worker; what it was asked for fails for `reason`.
  stop(reason = "stopped") {
    this.#worker?.terminate();
    this.#fail(reason);
  }

  // `files`: [{name, bytes: Uint8Array}] or [{name, file: File}]; `progress(part)` from 0 to 1.
  load(name, files, progress) {
    return this.#call("load", { name, files }, { progress }, files.flatMap(({ bytes }) => bytes ? [bytes.buffer] : []));
  }

  // How far the graphics card is from the processor, stage by stage; `files` with bytes.
  compare(name, files, text, settings) {
    return this.#call("compare", { name, files, text, settings });
  }

  addVoice(name, clip) {
    return this.#call("addVoice", { name, ...clip });
  }

  // hear: {progress, samples}
  speak(text, voice, settings, hear) {
    return this.#call("speak", { text, voice, settings }, hear);
  }

  cancel() {
    if (this.#flag) Atomics.store(new Int32Array(this.#flag), 0, this.#last);
    this.#worker.postMessage({ id: this.#last, call: "cancel" });
  }

  #call(call, values, hear = {}, transfer = []) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, hear });
      this.#worker.postMessage({ id, call, ...values }, transfer);
    });
  }

  #hear({ id, result, error, fatal, progress, samples }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (progress !== undefined) return waiting.hear.progress?.(progress);
    if (samples) return waiting.hear.samples?.(samples);
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(Object.assign(new Error(error.message), { name: error.name, fatal }));
  }

  #fail(message) {
    for (const { reject } of this.#waiting.values()) reject(Object.assign(new Error(message), { fatal: true }));
    this.#waiting.clear();
  }
}

// The server's API: POST /v1/audio/speech, as raw samples while they are made.
export class Server {
  #abort;

  // `key` is the server's API key, if it wants one.
  constructor(key) {
    this.headers = key ? { Authorization: `Bearer ${key}` } : {};
  }

  async start() {}
  stop() { this.#abort?.abort(); }

  async load() {
    const models = await this.#json("v1/models");
    const voices = await this.#json("v1/audio/voices");
    this.model = models.data[0].id;
    return { sampleRate: models.data[0].sample_rate, voices: voices.data.filter(voice => voice.usable).map(voice => voice.id) };
  }

  async addVoice(name, { bytes, samples, rate }, encode) {
    const form = new FormData();
    form.append("name", name);
    form.append("file", new Blob([bytes ?? encode(samples, rate)]), "clip");
    const answer = await fetch("v1/audio/voices", { method: "POST", headers: this.headers, body: form });
    if (!answer.ok) throw new Error(await message(answer));
  }

  async speak(text, voice, settings, hear) {
    const start = performance.now();
    this.#abort = new AbortController();
    const emotion = settings.emotion?.some(value => value) ? { emotion: { vector: settings.emotion } } : {};
    const answer = await fetch("v1/audio/speech", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...this.headers },
      signal: this.#abort.signal,
      body: JSON.stringify({ model: this.model, input: text, voice, response_format: "pcm", stream: true, markup: true,
        speed: settings.speed, seed: settings.seed, ...emotion }),
    });
    if (!answer.ok) throw new Error(await message(answer));
    let odd = new Uint8Array(0), first;
    for await (const bytes of chunks(answer.body)) {
      first ??= (performance.now() - start) / 1000;
      const all = new Uint8Array(odd.length + bytes.length);
      all.set(odd);
      all.set(bytes, odd.length);
      odd = all.slice(all.length & ~1);
      const words = new DataView(all.buffer, 0, all.length & ~1);
      hear.samples?.(Float32Array.from({ length: words.byteLength / 2 }, (_, i) => words.getInt16(2 * i, true) / 32768));
    }
    return { seconds: {}, first, wall: (performance.now() - start) / 1000, warnings: [] };
  }

  cancel() { this.#abort?.abort(new Error("cancelled")); }

  async #json(path) {
    const answer = await fetch(path, { headers: this.headers });
    if (!answer.ok) throw new Error(await message(answer));
    return answer.json();
  }
}

async function* chunks(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

async function message(answer) {
  const body = await answer.text();
  try {
    return JSON.parse(body).error.message;
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

// The files of the page's own model; `progress(part)` from 0 to 1.
export async function fetchModel(folder, progress) {
  const list = await (await found(`${folder}/files.json`)).json();
  const total = list.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  return Promise.all(list.map(async ({ name, bytes, packed }) => {
    const answer = await found(`${folder}/${name}${packed ? ".gzip" : ""}`);
    const body = packed ? answer.body.pipeThrough(new DecompressionStream("gzip")) : answer.body;
    const content = new Uint8Array(bytes);
    let at = 0;
    for await (const chunk of chunks(body)) {
      if (at + chunk.length > bytes) throw new Error(`${name} is longer than the ${bytes} bytes it should have`);
      content.set(chunk, at);
      at += chunk.length;
      progress((done += chunk.length) / total);
    }
    if (at !== bytes) throw new Error(`${name} broke off after ${at} of ${bytes} bytes: reload the page`);
    return { name, bytes: content };
  }));
}

async function found(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return answer;
}

// The files of a model directory that the user has chosen; the worker reads them.
export function openModel(files) {
  const wanted = files.filter(file => /\.(bpk|json|txt|yaml|dic|flac|wav)$/.test(file.name));
  if (!wanted.some(file => file.name === "config.json")) {
    throw new Error("There is no config.json in that folder: choose one made by `indextts models import`.");
  }
  return wanted.map(file => ({ name: file.webkitRelativePath.split("/").slice(1).join("/") || file.name, file }));
}
