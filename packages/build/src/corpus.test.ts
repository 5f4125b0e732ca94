import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { corpus } from "./testing/corpus.ts";
import { listTree } from "./testing/list-tree.ts";
import { openTestBuilder, type TestBuilder } from "./testing/open-builder.ts";

const WANT = resolve(import.meta.dirname, "testdata/corpus-want.json");
/** Set, it writes what is built instead of comparing with it. */
const update = process.env["BOXSHIP_TEST_UPDATE"] === "1";

interface Want {
  /** What the build adds to busybox, or leaves of it. */
  readonly tree: readonly string[];
  readonly config: unknown;
  readonly history: readonly string[];
}

describe("the corpus of Containerfiles", { concurrency: 2 }, () => {
  let builder: TestBuilder;
  let base: ReadonlySet<string>;
  const wanted = existsSync(WANT) ? (JSON.parse(readFileSync(WANT, "utf8")) as Record<string, Want>) : {};
  const built: Record<string, Want> = {};

  before(async () => {
    builder = await openTestBuilder();
    base = new Set(await treeOf("busybox"));
  });
  after(async () => {
    if (update) {
      const sorted = Object.fromEntries(Object.entries(built).sort(([a], [b]) => (a < b ? -1 : 1)));
      writeFileSync(WANT, `${JSON.stringify(sorted, null, 2)}\n`);
    }
    await builder[Symbol.asyncDispose]();
  });

  async function treeOf(ref: string): Promise<readonly string[]> {
    const { images } = builder.engine.parts;
    const { id } = images.store.resolve(ref);
    const key = `tree-${id.slice(7, 19)}`;
    const path = await images.mountReadOnly(id, key);
    try {
      return listTree(path);
    } finally {
      await images.unmount(key);
    }
  }

  for (const { name, directory } of corpus()) {
    test(name, async () => {
      const { imageId = "" } = await builder.builder.build(
        { file: { kind: "context", path: "Containerfile" }, context: { kind: "directory", path: directory } },
        () => {},
      );
      const { config } = builder.engine.parts.images.store.resolve(imageId);
      const isScratch = !(config.history ?? []).some(({ created_by }) => created_by?.includes("bootstrap"));
      const tree = await treeOf(imageId);
      const found: Want = {
        tree: isScratch ? tree : tree.filter((line) => !base.has(line)),
        config: config.config,
        history: (config.history ?? []).slice(isScratch ? 0 : 1).map(({ created_by = "", empty_layer }) => {
          return `${empty_layer === true ? "-" : "+"} ${created_by.replace(/:[0-9a-f]{64}/, ":DIGEST")}`;
        }),
      };
      built[name] = found;
      if (!update) assert.deepEqual(JSON.parse(JSON.stringify(found)), wanted[name]);
    });
  }
});
