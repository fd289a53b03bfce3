// The model's own thread. Requests come as {id, call, ...}; answers go as {id, result | error}, and on the way {id, progress}
// and {id, samples}.
let wasm, engine, shard;
// Firefox ends workers that nothing refers to.
let helpers = [];
// Pieces in which a file is read: no buffer of a browser has to hold more.
const SHARD = 512 * 1024 * 1024;
const cancelled = { id: 0, flag: null };

const calls = {
  // `build` names the module; `threads` workers share its memory.
  async start({ build, threads, flag, options }) {
    shard = options.shard ?? SHARD;
    cancelled.flag = flag ? new Int32Array(flag) : null;
    const packed = fetch(`${build}/indextts_web_bg.wasm.gzip`);
    wasm = await import(`./${build}/indextts_web.js`);
    await wasm.default({ module_or_path: unpacked(await packed) });
    if (threads > 1) {
      helpers = await Promise.all(Array.from({ length: threads - 1 }, () => helper(build)));
      wasm.makePool(helpers.length);
    }
  },

  async load({ id, name, files }) {
    const read = new wasm.Files();
    const sizes = files.map(({ bytes, file }) => bytes?.length ?? file.size);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    for (const [i, { name, bytes, file }] of files.entries()) {
      let at = 0;
      do {
        const part = bytes ? bytes.subarray(at, at + shard) : new Uint8Array(await file.slice(at, at + shard).arrayBuffer());
        read.append(name, sizes[i], part);
        at += part.length;
        postMessage({ id, progress: (done += part.length) / total });
      } while (at < sizes[i]);
    }
    engine = await wasm.Engine.load(name, read);
    return { sampleRate: engine.sampleRate, voices: engine.builtInVoices() };
  },

  // Every stage on the processor and on the graphics card, see `web/src/compare.rs`.
  async compare({ name, files, text, settings }) {
    const read = new wasm.Files();
    files.forEach(({ name, bytes }) => read.append(name, bytes.length, bytes));
    return JSON.parse(await wasm.compareStages(name, read, text, JSON.stringify(settings)));
  },

  addVoice({ name, bytes, samples, rate }) {
    if (samples) engine.addVoiceSamples(name, samples, rate);
    else engine.addVoiceFile(name, bytes);
  },

  async speak({ id, text, voice, settings }) {
    const start = performance.now();
    const seconds = {};
    const spend = (stage, time) => { seconds[stage] = (seconds[stage] ?? 0) + time; };
    if (!engine.hasVoice(voice)) {
      postMessage({ id, progress: { stage: "voice", segment: 0, segments: 1, done: 0 } });
      engine.useBuiltInVoice(voice);
      spend("voice", (performance.now() - start) / 1000);
    }
    const speaking = await engine.plan(text, voice, JSON.stringify(settings));
    try {
      let told = 0;
      const progress = (stage, segment, segments, done, total) => {
        if (performance.now() - told > 50) {
          told = performance.now();
          postMessage({ id, progress: { stage, segment, segments, done, total } });
        }
        return isCancelled(id);
      };
      let first;
      for (;;) {
        // Lets a message of cancellation in.
        await new Promise(resolve => setTimeout(resolve));
        if (isCancelled(id)) throw new Error("cancelled");
        const samples = await speaking.next(engine, progress);
        if (!samples) break;
        first ??= (performance.now() - start) / 1000;
        postMessage({ id, samples }, [samples.buffer]);
      }
      JSON.parse(speaking.takeTimings()).forEach(([stage, time]) => spend(stage, time));
      return { seconds, first, wall: (performance.now() - start) / 1000, warnings: speaking.warnings() };
    } finally {
      speaking.free();
    }
  },
};

// A worker that is about to become a thread of the pool.
function helper(build) {
  return new Promise((resolve, reject) => {
    const worker = new Worker("pool.js", { type: "module" });
    worker.onmessage = () => resolve(worker);
    worker.onerror = event => reject(new Error(event.message ?? "a thread could not be started"));
    const [module, memory] = wasm.shared();
    worker.postMessage({ url: `./${build}/indextts_web.js`, module, memory });
  });
}

function unpacked(answer) {
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${answer.statusText}`);
  const plain = answer.body.pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain, { headers: { "Content-Type": "application/wasm" } });
}

function isCancelled(id) {
  return cancelled.id === id || (cancelled.flag && Atomics.load(cancelled.flag, 0) === id);
}

const waiting = new Set();

onmessage = async ({ data }) => {
  const { id, call } = data;
  if (call === "cancel") {
    cancelled.id = id;
    return;
  }
  waiting.add(id);
  try {
    const result = await calls[call](data);
    if (waiting.delete(id)) postMessage({ id, result });
  } catch (error) {
    if (waiting.delete(id)) refuse(id, error);
  }
};

function refuse(id, error) {
  // A trap leaves the module's memory in no state to go on with.
  const fatal = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
  postMessage({ id, error: { name: error?.name, message: describe(error) }, fatal });
}

// The module traps in a turn of its own while a call waits for it, and would do so for ever.
function trapped(event) {
  event.preventDefault();
  const error = event.error ?? event.reason;
  for (const id of waiting) refuse(id, error);
  waiting.clear();
}
addEventListener("error", trapped);
addEventListener("unhandledrejection", trapped);

function describe(error) {
  const text = String(error?.message ?? error);
  const memory = error instanceof RangeError || /out of memory|memory allocation|unreachable/.test(text);
  return memory ? `The browser gave no more memory (${text}). Close other tabs, or use a smaller model.` : text;
}
