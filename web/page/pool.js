// One more thread of the pool that computes (web/src/pool.rs): the same module, on the same memory.
onmessage = async ({ data: { url, module, memory } }) => {
  const wasm = await import(url);
  await wasm.default({ module_or_path: module, memory });
  postMessage("ready");
  wasm.help();
};
