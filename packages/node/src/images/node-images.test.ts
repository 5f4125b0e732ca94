import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, Unavailable } from "@boxship/base";
import type { Cri } from "@boxship/cri";
import { NodeImages } from "./node-images.ts";

test("the largest images come first, by their digests and then their tags, and are asked for rarely", async () => {
  const clock = new FakeClock(1000);
  const image = (size: number, repoDigests: string[], repoTags: string[]) => ({ size, repoDigests, repoTags });
  let all = [
    image(1, [], []),
    image(3, ["a@sha256:1", "b@sha256:1"], ["a:1", "b:1", "c:1", "d:1"]),
    image(2, [], ["e:1"]),
  ];
  let asked = 0;
  let away = true;
  const listImages = () => {
    asked++;
    return away ? Promise.reject(new Unavailable("nobody answers")) : Promise.resolve({ images: all });
  };
  const images = new NodeImages({ listImages } as unknown as Cri, clock);
  assert.equal(await images.list(), undefined);
  away = false;
  assert.deepEqual(await images.list(), [
    { names: ["a@sha256:1", "b@sha256:1", "a:1", "b:1", "c:1"], sizeBytes: 3 },
    { names: ["e:1"], sizeBytes: 2 },
    { sizeBytes: 1 },
  ]);
  all = Array.from({ length: 60 }, (_, at) => image(at, [], [`f:${at}`]));
  await clock.advance(29_000);
  assert.equal((await images.list())?.length, 3);
  assert.equal(asked, 2);
  await clock.advance(1000);
  const now = (await images.list()) ?? [];
  assert.deepEqual([now.length, now[0]], [50, { names: ["f:59"], sizeBytes: 59 }]);
  await clock.advance(30_000);
  assert.equal(await images.list(), now, "nothing has changed");
  assert.equal(asked, 4);
  away = true;
  await clock.advance(30_000);
  assert.equal(await images.list(), now);
});
