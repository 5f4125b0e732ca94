import { writeFileSync } from "node:fs";
import { Snapshotter } from "./snapshotter.ts";

/** Makes layers and containers without end in the directory that it is given, until somebody kills it. */
const store = await Snapshotter.open({ root: process.argv[2] as string });
const id = (n: number) => `sha256:${String(n).padStart(64, "0")}`;
process.stdout.write("ready\n");
for (let n = store.listLayers().length + 1; ; n++) {
  const stage = await store.prepareLayer(id(n), n === 1 ? undefined : id(n - 1));
  for (let file = 0; file < 20; file++) writeFileSync(`${stage.directory}/${file}`, String(n));
  await stage.commit(20);
  await store.createContainer(`c${n}`, id(n));
  store.mountContainer(`c${n}`);
  await store.removeContainer(`c${n}`);
}
