import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import type { Cri } from "@boxship/cri";
import { tempDir } from "@boxship/testkit";
import { PulledImages } from "./pulled-images.ts";

test("images are collected that were pulled for pods and that none uses, the longest unused first, until it is enough", async () => {
  await using directory = tempDir();
  const clock = new FakeClock(0);
  const present = new Set(["a", "b", "c", "used", "built"]);
  const cri = {
    imageStatus: ({ image }: { image: { image: string } }) =>
      Promise.resolve(present.has(image.image) ? { image: { id: `id-${image.image}` } } : {}),
    listContainers: () => Promise.resolve({ containers: [{ image: { image: "used" }, imageRef: "id-used" }] }),
    removeImage: ({ image }: { image: { image: string } }) => Promise.resolve(void present.delete(image.image)),
  } as unknown as Pick<Cri, "imageStatus" | "listContainers" | "removeImage">;
  const path = directory.join("pulled.json");
  const images = new PulledImages({ cri, clock, path });
  for (const image of ["used", "a", "b"]) {
    await images.pulled(image);
    await clock.advance(1000);
  }
  assert.equal(await images.collect(() => Promise.resolve(true)), false);
  await clock.advance(120_000);
  await images.touch("a");
  // The next process knows what this one wrote down.
  const next = new PulledImages({ cri, clock, path });
  await next.pulled("c");
  await clock.advance(120_000);
  await next.touch("a");
  assert.equal(await next.collect(() => Promise.resolve(true)), true);
  assert.deepEqual([...present], ["a", "c", "used", "built"]);
  // What was used in the future, as the clock has it by now, is old.
  clock.jump(-3_600_000);
  assert.equal(await next.collect(() => Promise.resolve(true)), true);
  assert.deepEqual([...present], ["a", "used", "built"]);
  clock.jump(3_600_000);
});
