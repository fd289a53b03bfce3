// The page: a form, a wave, and whatever makes the speech (engine.js).
import { Local, Server, fetchModel, gpu, openModel, simd } from "./engine.js";
import { Player, decode, draw, joined, record, wav } from "./sound.js";

const EMOTIONS = ["happy", "angry", "sad", "afraid", "disgusted", "melancholic", "surprised", "calm"];
const STAGES = { voice: "Listening to the voice", text: "Reading the text", emotion: "Finding the emotion", prefill: "Taking in the text",
  gpt: "Finding the sounds", content: "Setting the pace", mel: "Painting the spectrum", wave: "Making the wave" };
// Longest clip that is worth recording, seconds.
const LONGEST_CLIP = 15;
// What a cancelled worker has to answer, before it is ended with all it holds; milliseconds.
const CANCEL = 2000;
// Between two pictures of the wave while it plays; milliseconds.
const FRAME = 60;

const $ = id => document.getElementById(id);
const player = new Player();
let choices = [];
let engine, rate = 22050, speech = new Float32Array(0), speaking = false, ending, link, opened;
// Clips of the user by the name of their voice: a model that is loaded later hears them again.
const clips = new Map();

function say(text) { $("status").textContent = text; }

function fail(error) {
  const text = String(error?.message ?? error);
  if (isCancel(error)) return say("Cancelled");
  say("");
  $("error").textContent = text;
  $("error").hidden = false;
  console.info("shown to the user:", text);
}

function isCancel(error) { return error?.message === "cancelled" || error?.name === "AbortError"; }

function bar(part) {
  $("progress").hidden = part === null;
  if (part === undefined) $("progress").removeAttribute("value");
  else if (part !== null) $("progress").value = part;
}

function busy(state) {
  $("speak").disabled = state;
  $("backend").disabled = state;
  $("record").disabled = state;
}

// What this browser, and the place the page came from, can compute with.
async function backends() {
  const about = await (await fetch("about.json")).json();
  const threads = Math.min(navigator.hardwareConcurrency || 1, 8);
  const found = [];
  const add = (name, label, make) => found.push({ name, label, make });
  if (about.server) add("server", "The server", () => new Server($("key").value));
  $("key-row").hidden = !about.key;
  const builds = new Set(simd() ? about.builds : []);
  const adapter = builds.has("webgpu") ? await gpu() : null;
  const card = () => new Local("webgpu", 1);
  if (adapter === "hardware") add("webgpu", "Graphics card (WebGPU)", card);
  if (builds.has("threads") && globalThis.crossOriginIsolated && threads > 1) {
    add("threads", `Processor, ${threads} threads`, () => new Local("threads", threads));
  }
  if (builds.has("simd")) add("simd", "Processor, one thread", () => new Local("simd", 1));
  if (adapter === "software") add("webgpu", "Emulated graphics card (slow)", card);
  if (!found.length) {
    throw new Error(!builds.size ? "This browser has no WebAssembly SIMD, which the page needs: use a current one."
      : builds.has("threads") ? "This page was built for threads alone, which need cross-origin isolation: see web/README.md."
      : "This page was built for the graphics card alone, and this browser has no WebGPU: use another browser.");
  }
  if (builds.has("webgpu") && !adapter) add("webgpu", "Graphics card: none in this browser", null);
  return found;
}

async function start() {
  choices = await backends();
  const asked = choices.find(({ name }) => name === new URLSearchParams(location.search).get("backend"));
  const first = choices.find(choice => choice === asked && choice.make) ?? choices[0];
  $("backend").replaceChildren(...choices.map(choice => {
    const option = new Option(choice.label, choice.name, false, choice === first);
    option.disabled = !choice.make;
    return option;
  }));
  const chosen = () => use(choices.find(({ name }) => name === $("backend").value)).catch(fail);
  $("backend").onchange = chosen;
  $("key").onchange = chosen;
  await use(first);
  if (asked && !asked.make) note("This browser has no WebGPU: the processor computes.");
}

async function use(choice) {
  note("");
  try {
    await load(choice.make);
  } catch (error) {
    if (choice.name !== "webgpu") throw error;
    await leaveCard(error);
  }
}

// A graphics card may turn out to be of no use, at first or later.
async function leaveCard(error) {
  console.info("graphics card given up:", error.message);
  const other = choices.find(({ name, make }) => make && name !== "webgpu");
  if (!other) throw error;
  $("backend").value = other.name;
  await load(other.make);
  note(`The graphics card could not be used, so the processor computes. (${error.message})`);
}

function note(text) {
  $("note").textContent = text;
  $("note").hidden = !text;
}

async function load(make) {
  busy(true);
  $("error").hidden = true;
  engine?.stop();
  engine = make();
  const local = engine instanceof Local;
  $("where").textContent = local
    ? "Speech in any voice, made in this browser tab. Nothing you type or record leaves it."
    : "Speech in any voice, made by this page's server.";
  $("folder").disabled = !local;
  try {
    say("Loading the model");
    bar(0);
    const files = local ? await (opened ? openModel(opened) : fetchModel("model", bar)) : [];
    if (!opened) bar(undefined);
    await engine.start();
    const { sampleRate, voices } = await engine.load(opened ? "the opened model" : "model", files, opened && bar);
    rate = sampleRate;
    for (const [name, clip] of clips) await engine.addVoice(name, clip, wav);
    $("voice").replaceChildren(...[...voices, ...clips.keys()].map(name => new Option(name, name)));
    if (!$("voice").options.length) say("This model brings no voice: record or open a clip.");
    else say("Ready");
    busy(!$("voice").options.length);
    $("record").disabled = false;
    $("backend").disabled = false;
  } finally {
    bar(null);
    $("backend").disabled = false;
  }
}

function settings() {
  return {
    seed: Math.max(0, Math.floor($("seed").valueAsNumber || 0)),
    speed: $("speed").valueAsNumber,
    emotion: EMOTIONS.map(name => $(name).valueAsNumber),
    firstChunk: 0.5,
  };
}

async function speak() {
  $("error").hidden = true;
  $("download").hidden = true;
  $("timings").hidden = true;
  $("warnings").hidden = true;
  $("play").disabled = true;
  player.open(rate);
  busy(true);
  speaking = true;
  $("cancel").disabled = false;
  bar(undefined);
  const parts = [];
  speech = new Float32Array(0);
  draw($("wave"), speech);
  const hear = {
    progress({ stage, segment, segments, done, total }) {
      const of = segments > 1 ? `, part ${segment + 1} of ${segments}` : "";
      say(`${STAGES[stage] ?? stage}${total ? ` (${done} of ${total})` : ""}${of}`);
      bar(segments > 1 ? segment / segments : total ? done / total : undefined);
    },
    samples(samples) {
      parts.push(samples);
      player.add(samples);
      speech = joined(parts);
      showPlaying();
    },
  };
  try {
    const result = await engine.speak($("text").value, $("voice").value, settings(), hear);
    finish(result);
  } catch (error) {
    if (engine.build === "webgpu" && !isCancel(error) && error.name !== "InputError") {
      await leaveCard(error);
      return await speak();
    }
    if (error.fatal) await load(() => new Local(engine.build, engine.threads)).catch(fail);
    fail(error);
  } finally {
    bar(null);
    speaking = false;
    // What is spoken next is not what was cancelled.
    clearTimeout(ending);
    busy(false);
    $("cancel").disabled = true;
  }
}

let frame;
function showPlaying() {
  clearTimeout(frame);
  draw($("wave"), speech, player.playing ? player.position * rate : speech.length);
  if (player.playing) frame = setTimeout(showPlaying, FRAME);
}

function finish({ seconds, first, wall, warnings }) {
  const length = speech.length / rate;
  say(`${length.toFixed(1)} s of speech in ${wall.toFixed(1)} s, the first after ${(first ?? wall).toFixed(1)} s`);
  $("wave").setAttribute("aria-label", `Waveform of ${length.toFixed(1)} seconds of speech`);
  if (link) URL.revokeObjectURL(link);
  link = URL.createObjectURL(new Blob([wav(speech, rate)], { type: "audio/wav" }));
  $("download").href = link;
  $("download").hidden = false;
  $("play").disabled = false;
  if (player.playing) $("play").textContent = "Stop";
  const row = (stage, time) => {
    const line = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = stage;
    const bar = document.createElement("td");
    const part = document.createElement("div");
    part.style.width = `${100 * Math.min(time / wall, 1)}%`;
    bar.append(part);
    const cell = document.createElement("td");
    cell.textContent = `${time.toFixed(2)} s`;
    line.append(head, bar, cell);
    return line;
  };
  const rows = Object.entries(seconds).map(([stage, time]) => row(stage, time));
  $("timings").tBodies[0].replaceChildren(...rows, row("total", wall));
  $("timings").hidden = false;
  $("warnings").replaceChildren(...warnings.map(text => Object.assign(document.createElement("li"), { textContent: text })));
  $("warnings").hidden = !warnings.length;
}

async function addVoice(name, clip) {
  $("error").hidden = true;
  say("Listening to the clip");
  busy(true);
  bar(undefined);
  try {
    try {
      await engine.addVoice(name, clip, wav);
    } catch (error) {
      if (!clip.bytes || error.fatal) throw error;
      // The model's decoders know fewer formats than most browsers'.
      clip = await decode(clip.bytes).catch(() => { throw error; });
      await engine.addVoice(name, clip, wav);
    }
    clips.set(name, clip);
    const known = [...$("voice").options].find(option => option.value === name);
    if (!known) $("voice").add(new Option(name, name));
    $("voice").value = name;
    say("Ready");
  } finally {
    bar(null);
    busy(false);
  }
}

async function addFile(file) {
  const name = file.name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 64) || "clip";
  await addVoice(name, { bytes: new Uint8Array(await file.arrayBuffer()) });
}

let recording;
async function toggleRecording() {
  if (recording) {
    const { recorder, timer } = recording;
    recording = null;
    clearTimeout(timer);
    $("record").textContent = "Record";
    $("record").setAttribute("aria-pressed", "false");
    await addVoice("my-voice", await recorder.stop());
    return;
  }
  const recorder = await record();
  recording = { recorder, timer: setTimeout(() => toggleRecording().catch(fail), LONGEST_CLIP * 1000) };
  $("record").textContent = "Stop";
  $("record").setAttribute("aria-pressed", "true");
  say(`Recording: speak for 5 to ${LONGEST_CLIP} seconds`);
}

for (const name of EMOTIONS) {
  const label = document.createElement("label");
  label.textContent = name;
  const slider = Object.assign(document.createElement("input"), { type: "range", id: name, min: 0, max: 1, step: 0.05, value: 0 });
  label.append(slider);
  $("emotions").append(label);
}
$("speed").oninput = () => { $("speed-value").textContent = $("speed").valueAsNumber.toFixed(1); };
$("request").onsubmit = event => {
  event.preventDefault();
  if (!speaking) speak();
};
$("text").onkeydown = event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("request").requestSubmit();
};
$("cancel").onclick = () => {
  player.stop();
  engine.cancel();
  const cancelled = engine;
  clearTimeout(ending);
  ending = setTimeout(() => engine === cancelled && cancelled.stop("cancelled"), CANCEL);
};
player.onended = () => { $("play").textContent = "Play"; };
$("play").onclick = () => {
  if (player.playing) return player.stop();
  player.open(rate);
  player.add(speech);
  showPlaying();
  $("play").textContent = "Stop";
};
$("record").onclick = () => toggleRecording().catch(fail);
$("file").onchange = () => {
  const [file] = $("file").files;
  if (file) addFile(file).catch(fail);
  $("file").value = "";
};
$("folder").onchange = () => {
  opened = [...$("folder").files];
  $("model").textContent = opened[0]?.webkitRelativePath.split("/")[0] ?? "";
  $("backend").onchange();
};
const drop = $("drop");
drop.ondragover = event => {
  event.preventDefault();
  drop.classList.add("over");
};
drop.ondragleave = () => drop.classList.remove("over");
drop.ondrop = event => {
  event.preventDefault();
  drop.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) addFile(file).catch(fail);
};
addEventListener("resize", showPlaying);
start().catch(fail);
