import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { VolumeStore } from "./volume-store.ts";

/** Gives volumes limits, again and again, until it is killed. */
const store = await VolumeStore.open({ root: process.argv[2] ?? "" });
for (let n = 0; ; n++) {
  const name = `volume${n}`;
  await store.createFilled({ name }, async (directory) => writeFileSync(join(directory, "file"), "kept"));
  await store.limit(name, "8m");
  await store.limit(name, "12m");
  await store.remove(name);
}
