import { VolumeStore } from "./volume-store.ts";

/** Does everything to volumes, again and again, until it is killed. */
const store = await VolumeStore.open({ root: process.argv[2] ?? "" });
for (let n = 0; ; n++) {
  await store.snapshot("data", `s${n}`);
  await store.clone("data", { name: `clone${n}` });
  await store.restoreSnapshot("data", `s${n}`);
  await store.rename(`clone${n}`, `renamed${n}`);
  await store.removeSnapshot("data", `s${n}`);
  await store.remove(`renamed${n}`);
}
