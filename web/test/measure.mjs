// How fast the page is, as a visitor meets it: node measure.mjs DIST [RUNS]. Prints a table in Markdown, and fails where a
// figure misses its goal. For an idle machine.
import { readFile, readdir, stat } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { argv, env, exit } from "node:process";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const TEXT = "The next train to the city leaves in twenty minutes.";
const GOALS = { megabytes: 40, realTime: 1.5, first: 5 };

const [dist, runs = 3] = argv.slice(2);
const about = JSON.parse(await readFile(join(dist, "about.json")));
const site = await serve(dist);
const browser = await chromium.launch({ executablePath: env.CHROMIUM ?? "/usr/bin/chromium", headless: true,
  args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"] });

// Opens the page afresh (nothing cached), has it speak as soon as it can, and says when what happened, in seconds.
async function visit(backend) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(() => {
    const seen = window.seen = {};
    const note = name => { seen[name] ??= performance.now() / 1000; };
    addEventListener("DOMContentLoaded", () => {
      const $ = id => document.getElementById(id);
      new MutationObserver(() => {
        if ($("status").textContent === "Ready" && !$("speak").disabled && !seen.ready) {
          note("ready");
          $("speak").click();
        }
        if (!$("download").hidden) note("done");
        if (!$("error").hidden) seen.error = $("error").textContent;
      }).observe(document.body, { subtree: true, childList: true, attributes: true });
      const start = AudioBufferSourceNode.prototype.start;
      AudioBufferSourceNode.prototype.start = function (...at) {
        note("heard");
        return start.apply(this, at);
      };
      $("text").value = window.speech;
    });
  });
  await page.addInitScript(text => { window.speech = text; }, TEXT);
  await page.goto(`${site.url}?backend=${backend}`);
  await page.waitForFunction(() => window.seen.done || window.seen.error, null, { timeout: 300_000 });
  const { seen, seconds, version, wall } = await page.evaluate(async () => {
    const wav = await (await fetch(document.getElementById("download").href)).arrayBuffer();
    return { seen: window.seen, seconds: (wav.byteLength - 44) / 2 / new DataView(wav).getUint32(24, true),
      wall: parseFloat([...document.querySelectorAll("#timings td")].at(-1).textContent), version: navigator.userAgent };
  });
  if (seen.error) throw new Error(seen.error);
  await context.close();
  return { ...seen, seconds, wall, version };
}

async function size(folder) {
  const sizes = (await readdir(folder, { withFileTypes: true })).map(async entry => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? size(path) : (await stat(path)).size;
  });
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

const megabytes = await size(dist) / 1e6;
console.log(`dist: ${megabytes.toFixed(1)} MB; "${TEXT}"; ${cpus().length} processors; Chromium ${browser.version()}\n`);
console.log("| build | ready | first sound | all | speech | real-time factor |\n|---|---|---|---|---|---|");
let worst = { realTime: 0, first: 0 };
for (const backend of ["threads", "simd"].filter(build => about.builds.includes(build))) {
  for (let run = 0; run < runs; run++) {
    const { ready, heard, done, seconds, wall } = await visit(backend);
    const realTime = wall / seconds;
    console.log(`| ${backend} | ${[ready, heard, done, seconds].map(time => `${time.toFixed(2)} s`).join(" | ")} | ${realTime.toFixed(2)} |`);
    if (backend === "threads") worst = { realTime: Math.max(worst.realTime, realTime), first: Math.max(worst.first, heard) };
  }
}
await browser.close();
site.close();
const missed = Object.entries({ megabytes, ...worst }).filter(([name, value]) => !(value <= GOALS[name]));
for (const [name, value] of missed) console.error(`${name} is ${value.toFixed(2)}, which should be at most ${GOALS[name]}`);
exit(missed.length ? 1 : 0);
