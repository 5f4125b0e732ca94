import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTestBuilder, type TestBuilder } from "../testing/open-builder.ts";

const ROOT = resolve(import.meta.dirname, "../testdata/real");

/** Images of real size, from the distribution's packages: minutes of downloads, so `npm run soak` builds them. */
const skip = process.env["BOXSHIP_REAL_IMAGES"] === undefined ? "npm run soak builds them" : false;

describe("images of real size are built, found again, and do what they are for", { skip }, () => {
  let builder: TestBuilder;

  before(async () => {
    builder = await openTestBuilder();
    await builder.engine.images.bootstrap("debian", () => {});
  });
  after(() => builder[Symbol.asyncDispose]());

  for (const name of readdirSync(ROOT).sort()) {
    test(name, async (t) => {
      const context = join(ROOT, name);
      const file = readFileSync(join(context, "Containerfile"), "utf8");
      const [, check] = /^# check: (.*)$/m.exec(file) ?? [];
      const [, program = ""] = /^# program: (.*)$/m.exec(file) ?? [];
      const [, want = "nothing is wanted"] = /^# want: (.*)$/m.exec(file) ?? [];
      const began = performance.now();
      const { imageId } = await builder.build(file, { context });
      const built = performance.now();
      const again = await builder.build(file, { context });
      t.diagnostic(`cold ${Math.round(built - began)} ms, cached ${Math.round(performance.now() - built)} ms`);
      assert.deepEqual(again.done, []);
      assert.equal(again.imageId, imageId);
      const said = check === undefined ? runProgram(builder, imageId, program) : builder.run(imageId, check);
      assert.match(await said, new RegExp(`^${want}`, "m"));
    });
  }
});

/** What a program says in an image that has no shell. */
async function runProgram(builder: TestBuilder, image: string, program: string): Promise<string> {
  const file = `FROM ${image.replace(/^sha256:/, "")}\nRUN ${JSON.stringify([program])}\n`;
  return (await builder.build(file, { noCache: true, outputs: [{ kind: "none" }] })).output;
}
