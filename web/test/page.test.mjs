// The page in a real browser, against the same model spoken by the command line. `./run` builds what it needs.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const { DIST, MODEL, INDEXTTS, CHROMIUM } = env;
const TEXT = "The next train to the city leaves in twenty minutes.";
// What a synthesis may take on a loaded machine before the test gives up, milliseconds.
const PATIENCE = 240_000;

// Without what a browser does for itself: a page that asks nobody for anything is tested on machines that reach nobody.
const launch = (...args) => chromium.launch({ executablePath: CHROMIUM, headless: true, args: ["--no-sandbox",
  "--autoplay-policy=no-user-gesture-required", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", ...args] });

// What was built: a test of a build that is missing does not exist.
const about = JSON.parse(await readFile(join(DIST, "about.json")));
let browser, site, folder, voice;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "page-"));
  site = await serve(DIST);
  browser = await launch("--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream");
});
after(async () => {
  await browser?.close();
  site?.close();
  await rm(folder, { recursive: true, force: true });
});

// Said by Chromium itself where a page asks for a graphics card and there is none.
const NO_ADAPTER = "No available adapters.";

// A page that is ready to speak; it fails the test by anything unexpected that it does.
async function open({ url = site.url, backend = "threads", viewport, ready = true, before, within = browser } = {}) {
  const context = await within.newContext({ viewport: viewport ?? { width: 1000, height: 900 }, acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.trouble = [];
  page.on("pageerror", error => page.trouble.push(error.message));
  page.on("console", line => {
    if (["error", "warning"].includes(line.type()) && line.text() !== NO_ADAPTER) page.trouble.push(line.text());
  });
  page.on("request", request => {
    const asked = request.url();
    if (!asked.startsWith(url) && !/^(blob|data):/.test(asked)) page.trouble.push(`request to ${asked}`);
  });
  if (before) await page.addInitScript(before);
  await page.goto(`${url}?backend=${backend}`);
  if (ready) {
    await settled(page);
    assert.equal(await page.textContent("#status"), "Ready", await page.textContent("#error"));
  }
  return page;
}

const settled = page => page.waitForFunction(() => !document.getElementById("speak").disabled || !document.getElementById("error").hidden);

async function done(page) {
  await page.waitForFunction(() => !document.getElementById("download").hidden || !document.getElementById("error").hidden);
  assert.equal(await page.isHidden("#error"), true, await page.textContent("#error"));
}

async function close(page) {
  assert.deepEqual(page.trouble, []);
  await page.context().close();
}

// Samples of the module itself, without the page's form: exactly these settings.
function speakIn(page, build, threads, settings, text = TEXT) {
  return page.evaluate(async ({ build, threads, settings, text }) => {
    const { Local, fetchModel } = await import("./engine.js");
    const engine = new Local(build, threads);
    await engine.start();
    const { voices } = await engine.load("model", await fetchModel("model", () => {}));
    const parts = [];
    const { seconds } = await engine.speak(text, voices[0], settings, { samples: samples => parts.push(...samples) });
    engine.stop();
    return { voice: voices[0], samples: parts, seconds };
  }, { build, threads, settings, text });
}

// The same by the command line, on the processor.
function native(options, text = TEXT) {
  const bytes = execFileSync(INDEXTTS, ["say", text, "--model", MODEL, "--device", "cpu", "--voice", voice, "--stream", "--raw", "-o", "-",
    "--quiet", ...options], { maxBuffer: 1 << 28 });
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
}

function cosine(a, b) {
  assert.equal(a.length, b.length, "samples");
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) [ab, aa, bb] = [ab + a[i] * b[i], aa + a[i] ** 2, bb + b[i] ** 2];
  assert.ok(aa > 0 && bb > 0, "silence");
  return ab / Math.sqrt(aa * bb);
}

test("all of it is less than 40 MB", async () => {
  const files = (await readdir(DIST, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile());
  const sizes = await Promise.all(files.map(async file => (await stat(join(file.parentPath ?? file.path, file.name))).size));
  const megabytes = sizes.reduce((sum, bytes) => sum + bytes, 0) / 1e6;
  console.log(`${megabytes.toFixed(1)} MB`);
  assert.ok(megabytes <= 40, `${megabytes} MB`);
});

for (const [build, threads] of [["simd", 1], ["threads", 2]].filter(([build]) => about.builds.includes(build))) {
  test(`${build}: the samples are those of the command line`, async () => {
    const page = await open({ backend: build });
    const spoken = await speakIn(page, build, threads, { seed: 7, greedy: true, maxCodes: 80, speed: 1, firstChunk: 0.5 });
    voice = spoken.voice;
    const similar = cosine(spoken.samples, native(["--seed", "7", "--greedy", "--max-codes", "80"]));
    console.log(`${build}: cosine ${similar} to the command line`);
    assert.ok(similar >= 0.9999, `cosine ${similar}`);
    await close(page);
  });
}

test("the form speaks, shows what it did, and gives a wav", async () => {
  const page = await open();
  await page.fill("#text", TEXT);
  await page.click("#speak");
  await done(page);
  assert.match(await page.textContent("#status"), /^\d+\.\d s of speech in \d+\.\d s, the first after \d+\.\d s$/);
  const stages = await page.$$eval("#timings tbody th", rows => rows.map(row => row.textContent));
  assert.deepEqual(stages, ["voice", "text", "prefill", "gpt", "content", "mel", "wave", "total"].filter(stage => stages.includes(stage)));
  assert.ok(stages.length >= 7, stages.join());
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  assert.equal(download.suggestedFilename(), "speech.wav");
  const wav = await readFile(await download.path());
  assert.equal(wav.toString("latin1", 0, 4) + wav.toString("latin1", 8, 12), "RIFFWAVE");
  assert.equal(wav.readUInt32LE(4), wav.length - 8);
  const seconds = (wav.length - 44) / 2 / wav.readUInt32LE(24);
  assert.ok(Math.abs(seconds - parseFloat(await page.textContent("#status"))) < 0.06, `${seconds} s`);
  await close(page);
});

test("seed, speed and emotion reach the model", async () => {
  const page = await open();
  const once = async set => {
    await page.evaluate(set => {
      document.querySelector("details").open = true;
      for (const id of ["seed", "speed", "happy"]) {
        const field = document.getElementById(id);
        field.value = set[id] ?? field.defaultValue;
        field.dispatchEvent(new Event("input"));
      }
    }, set);
    await page.fill("#text", "Good morning.");
    await page.click("#speak");
    await done(page);
    return page.evaluate(async () => [...new Uint8Array(await (await fetch(document.getElementById("download").href)).arrayBuffer())].join());
  };
  const plain = await once({});
  assert.equal(await once({}), plain, "the same seed gives the same speech");
  assert.notEqual(await once({ seed: "8" }), plain, "seed");
  assert.notEqual(await once({ speed: "0.5" }), plain, "speed");
  assert.notEqual(await once({ happy: "1" }), plain, "emotion");
  await close(page);
});

test("a clip becomes a voice, by file and by microphone", async () => {
  const page = await open();
  const clip = join(folder, "my clip.wav");
  execFileSync(INDEXTTS, ["say", "This clip is long enough to be a voice for the page.", "--model", MODEL, "--device", "cpu", "-o", clip, "--quiet"]);
  await page.setInputFiles("#file", clip);
  await page.waitForFunction(() => document.getElementById("voice").value === "my-clip");
  await page.click("#record");
  await page.waitForFunction(() => document.getElementById("record").textContent === "Stop");
  await page.waitForTimeout(2500);
  await page.click("#record");
  await page.waitForFunction(() => document.getElementById("voice").value === "my-voice" || !document.getElementById("error").hidden);
  assert.equal(await page.isHidden("#error"), true, await page.textContent("#error"));
  await page.selectOption("#voice", "my-clip");
  await page.fill("#text", "Good morning.");
  await page.click("#speak");
  await done(page);
  await close(page);
});

test("a clip that is dropped becomes a voice", async () => {
  const page = await open();
  const clip = [...await readFile(join(MODEL, "voices", (await readdir(join(MODEL, "voices")))[0]))];
  await page.evaluate(clip => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(clip)], "dropped one.flac", { type: "audio/flac" }));
    document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, clip);
  await page.waitForFunction(() => document.getElementById("voice").value === "dropped-one" || !document.getElementById("error").hidden);
  assert.equal(await page.isHidden("#error"), true, await page.textContent("#error"));
  await close(page);
});

test("a model of the user's own is opened from a folder", async () => {
  const page = await open();
  await page.evaluate(() => { document.querySelector("details").open = true; });
  await page.setInputFiles("#folder", MODEL);
  await page.waitForFunction(() => document.getElementById("model").textContent === "nano");
  await settled(page);
  await page.fill("#text", "Good morning.");
  await page.click("#speak");
  await done(page);
  await close(page);
});

test("no buffer has to hold a whole file of a model", async () => {
  const page = await open();
  const read = await page.evaluate(async () => {
    const { Local, fetchModel } = await import("./engine.js");
    const shard = 1 << 20;
    const files = (await fetchModel("model", () => {})).map(({ name, bytes }) => ({ name, file: new File([bytes], name) }));
    const parts = [];
    const engine = new Local("threads", 2, { shard });
    await engine.start();
    const { voices } = await engine.load("model", files, part => parts.push(part));
    engine.stop();
    return { voices, parts, pieces: files.reduce((sum, { file }) => sum + Math.max(1, Math.ceil(file.size / shard)), 0) };
  });
  assert.ok(read.voices.length >= 3);
  assert.equal(read.parts.length, read.pieces);
  assert.equal(read.parts.at(-1), 1);
  await close(page);
});

test("it plays, and shows the wave, while the rest is made", async () => {
  const page = await open({ before: () => {
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (...at) {
      window.heard ??= { download: document.getElementById("download").hidden, status: document.getElementById("status").textContent };
      return start.apply(this, at);
    };
  } });
  await page.fill("#text", TEXT);
  await page.click("#speak");
  await page.waitForFunction(() => window.heard);
  const painted = () => page.$eval("#wave", canvas => new Uint32Array(canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data.buffer).filter(Boolean).length);
  assert.ok(await painted() > 0, "no wave");
  await done(page);
  assert.equal((await page.evaluate(() => window.heard)).download, true, "it played only when all was made");
  await close(page);
});

test("cancelling ends the work, and the page speaks again", async () => {
  for (const backend of ["threads", "simd"].filter(build => about.builds.includes(build))) {
    const page = await open({ backend });
    await page.fill("#text", Array(12).fill(TEXT).join(" "));
    await page.click("#speak");
    await page.waitForFunction(() => /Finding the sounds|Painting/.test(document.getElementById("status").textContent));
    const start = Date.now();
    await page.click("#cancel");
    await page.waitForFunction(() => document.getElementById("status").textContent === "Cancelled");
    assert.ok(Date.now() - start < 3000, `${backend}: ${Date.now() - start} ms`);
    // Long enough to be ended as well, if the page took it for what was cancelled.
    await page.fill("#text", Array(3).fill(TEXT).join(" "));
    await page.click("#speak");
    await done(page);
    await close(page);
  }
});

test("errors are shown", async () => {
  const page = await open();
  const error = async () => {
    await page.waitForSelector("#error:not([hidden])");
    return page.textContent("#error");
  };
  const bad = join(folder, "bad.wav");
  await writeFile(bad, "this is no sound");
  await page.setInputFiles("#file", bad);
  assert.match(await error(), /bad/);
  await page.waitForFunction(() => !document.getElementById("speak").disabled);
  // A folder that is no model.
  await page.evaluate(() => { document.querySelector("details").open = true; });
  const empty = await mkdtemp(join(folder, "empty-"));
  await writeFile(join(empty, "notes.txt"), "nothing");
  await page.setInputFiles("#folder", empty);
  assert.match(await error(), /no config\.json/);
  await page.context().close();
});

test("a damaged model is refused with its reason", async () => {
  const page = await open({ ready: false });
  await settled(page);
  const message = await page.evaluate(async () => {
    const { Local, fetchModel } = await import("./engine.js");
    const engine = new Local("simd", 1);
    await engine.start();
    const files = await fetchModel("model", () => {});
    const gpt = files.find(file => file.name === "gpt.bpk");
    gpt.bytes = gpt.bytes.slice(0, gpt.bytes.length / 2);
    return engine.load("model", files).then(() => "loaded", error => error.message);
  });
  assert.match(message, /gpt\.bpk/);
  await close(page);
});

test("a model too large for the browser's memory is refused, and said to be", async () => {
  const page = await open();
  const message = await page.evaluate(async () => {
    const { Local, fetchModel } = await import("./engine.js");
    const engine = new Local("threads", 2);
    await engine.start();
    const files = await fetchModel("model", () => {});
    // More than the memory that the build's threads share may ever grow to; nothing touches its pages.
    files.find(file => file.name === "gpt.bpk").bytes = new Uint8Array(1.5 * 2 ** 30);
    return engine.load("model", files).then(() => "loaded", error => `${error.fatal} ${error.message}`);
  });
  assert.match(message, /^true The browser gave no more memory .* smaller model/);
  await close(page);
});

test("without WebAssembly SIMD the page says so", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(() => { WebAssembly.validate = () => false; });
  const plain = await serve(DIST, { isolated: false });
  await page.goto(plain.url);
  await page.waitForSelector("#error:not([hidden])");
  assert.match(await page.textContent("#error"), /SIMD/);
  plain.close();
  await context.close();
});

test("without shared memory the page uses one thread", async () => {
  const plain = await serve(DIST, { isolated: false });
  if (!about.builds.includes("simd")) {
    const page = await open({ url: plain.url, ready: false });
    await page.waitForSelector("#error:not([hidden])");
    assert.match(await page.textContent("#error"), /isolation/);
    await close(page);
    plain.close();
    return;
  }
  const page = await open({ url: plain.url, backend: "threads" });
  assert.deepEqual(await page.$$eval("#backend option:enabled", options => options.map(option => option.value)), ["simd"]);
  await close(page);
  plain.close();
});

if (about.builds.includes("webgpu")) {
  test("without WebGPU the processor computes, and the page says so", async () => {
    const page = await open({ backend: "webgpu" });
    assert.match(await page.textContent("#note"), /no WebGPU/);
    assert.equal(await page.inputValue("#backend"), "threads");
    assert.equal(await page.$eval("#backend option[value=webgpu]", option => option.disabled), true);
    await page.fill("#text", "Good morning.");
    await page.click("#speak");
    await done(page);
    await close(page);
  });

  test("a graphics card that fails is given up for the processor", async () => {
    // The page is promised a card; its worker, which asks for itself, gets none.
    const page = await open({ backend: "webgpu", before: () => {
      Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => ({ info: { isFallbackAdapter: false } }) } });
    } });
    assert.match(await page.textContent("#note"), /graphics card could not be used/);
    assert.equal(await page.inputValue("#backend"), "threads");
    await page.fill("#text", "Good morning.");
    await page.click("#speak");
    await done(page);
    await close(page);
  });

  test("webgpu: every stage is that of the processor, and the card speaks, on an emulated one", async () => {
    const emulated = await launch("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader");
    try {
      const page = await open({ within: emulated });
      assert.deepEqual(await page.$$eval("#backend option", options => options.at(-1).value), "webgpu", "an emulated card is the last choice");
      // Short, since a processor that plays a card is slow; this word is heard from its first code on.
      const text = "Stop!", settings = { seed: 7, greedy: true, maxCodes: 12, steps: 2, speed: 1, firstChunk: 0.5 };
      const stages = await page.evaluate(async ({ text, settings }) => {
        const { Local, fetchModel } = await import("./engine.js");
        const engine = new Local("webgpu", 1);
        await engine.start();
        const stages = await engine.compare("model", await fetchModel("model", () => {}), text, settings);
        engine.stop();
        return stages;
      }, { text, settings });
      console.table(stages);
      // The tolerances that networks have against the reference, see `tests/parity`. The vocoder alone takes sines of what it
      // computes: there WGSL grants an error of 2^-11, and the emulated card makes 1.9e-4.
      for (const { stage, equal, largest, deviation, cosine } of stages) {
        if (equal !== undefined) assert.ok(equal, `${stage}: other codes`);
        else {
          const granted = stage === "BigVGAN" ? 2 ** -11 : 0;
          const most = (stage === "flow matching" ? 1e-3 : 1e-4) * deviation + 1e-5 + granted;
          assert.ok(largest <= most && cosine >= 0.999999, `${stage}: ${largest}, deviation ${deviation}, cosine ${cosine}`);
        }
      }
      const spoken = await speakIn(page, "webgpu", 1, settings, text);
      voice = spoken.voice;
      // Both round to 16 bits what is equal but for the last places.
      const similar = cosine(spoken.samples, native(["--seed", "7", "--greedy", "--max-codes", "12", "--steps", "2"], text));
      console.log(`webgpu: cosine ${similar} to the command line`);
      assert.ok(similar >= 0.9999, `cosine ${similar}`);
      assert.ok(spoken.samples.some(sample => Math.abs(sample) > 0.05), "no sound");
      await close(page);
    } finally {
      await emulated.close();
    }
  });
}

// PICTURES=web makes those of the README.
if (env.PICTURES) {
  test("pictures of the page", async () => {
    const before = () => {
      const start = AudioBufferSourceNode.prototype.start;
      AudioBufferSourceNode.prototype.start = function (...at) {
        window.heard = true;
        return start.apply(this, at);
      };
    };
    const page = await open({ viewport: { width: 900, height: 900 }, before });
    const picture = name => page.screenshot({ path: join(env.PICTURES, name), fullPage: true });
    await page.fill("#text", "Hello! This page makes its speech in the tab that you are looking at, and plays it while the rest is made.");
    await page.click("#speak");
    await page.waitForFunction(() => window.heard && /Painting/.test(document.getElementById("status").textContent)
      && document.getElementById("progress").value > 0.2);
    await picture("page-during.png");
    await done(page);
    await picture("page-after.png");
    await close(page);
  });
}

test("it fits a phone, and every control has a name", async () => {
  const page = await open({ viewport: { width: 360, height: 740 } });
  await page.evaluate(() => { document.querySelector("details").open = true; });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it scrolls sideways");
  const nameless = await page.$$eval("button, input, select, textarea, a, canvas, progress", controls => controls
    .filter(control => !(control.labels?.length || control.textContent.trim() || control.getAttribute("aria-label")))
    .map(control => control.id));
  assert.deepEqual(nameless, []);
  // The keyboard alone: text, then Control and Enter.
  await page.focus("#text");
  await page.fill("#text", "Good morning.");
  await page.keyboard.press("Control+Enter");
  await done(page);
  await close(page);
});

test("the page of `indextts serve` speaks through the server", async () => {
  const server = spawn(INDEXTTS, ["serve", "--model", MODEL, "--device", "cpu", "--port", "0", "--voices", folder, "--api-key", "secret"],
    { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const [address] = await once(createInterface({ input: server.stdout }), "line");
    const page = await open({ url: `${address}/`, backend: "server", ready: false });
    await page.waitForSelector("#error:not([hidden])");
    assert.match(await page.textContent("#error"), /key/);
    page.trouble = []; // the refusal, which the browser notes
    await page.fill("#key", "secret");
    await page.press("#key", "Tab");
    await page.waitForFunction(() => !document.getElementById("speak").disabled);
    await page.fill("#text", "Good morning.");
    await page.click("#speak");
    await done(page);
    await close(page);
  } finally {
    server.kill();
  }
});
