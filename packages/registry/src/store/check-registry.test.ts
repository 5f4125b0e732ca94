import assert from "node:assert/strict";
import { appendFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openSqliteStore } from "@boxship/store";
import { tempDir } from "@boxship/testkit";
import { listenForTest, pushBlob, pushImage, sha256 } from "../testing/registry-under-test.ts";

test("what is damaged is found, mended where it can be, and comes again by another push", async () => {
  await using directory = tempDir("check");
  await using under = await listenForTest({}, directory.path);
  const { url, registry } = under;
  const file = (digest: string) => join(directory.path, "content", "blobs", "sha256", digest.replace("sha256:", ""));
  const kept = await pushImage(url, "kept", "v1");
  const subject = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: kept, size: 1 };
  const about = await pushImage(url, "kept", "", { subject, artifactType: "application/example" });
  const lost = await pushImage(url, "lost", "v1");
  await pushImage(url, "corrupt", "v1");
  const orphan = await pushBlob(url, "orphan", "of no manifest");
  const clean = await registry.check();
  assert.deepEqual([clean.problems, clean.manifests, clean.tags, clean.orphans], [[], 4, 3, 0]);

  const layer = sha256("layer of corrupt");
  await appendFile(file(layer), "!");
  await rm(file(lost));
  await rm(file(orphan));
  const found = await registry.check();
  const said = found.problems.map(({ repository, problem }) => `${repository}: ${problem}`).sort();
  assert.deepEqual(said, [
    "corrupt: blob is corrupt",
    `corrupt: manifest needs ${layer}, which is not there`,
    "lost: manifest is missing",
    `lost: tag leads to ${lost}, which is not there`,
    "orphan: blob is missing",
  ]);
  assert.deepEqual((await registry.check()).problems.length, 5, "looking changes nothing");
  await registry.check({ repair: true });
  assert.deepEqual(
    (await registry.check()).problems.map(({ problem }) => problem),
    [`manifest needs ${layer}, which is not there`],
  );
  assert.equal((await fetch(`${url}/lost/manifests/v1`)).status, 404);
  await pushImage(url, "corrupt", "v1");
  assert.deepEqual((await registry.check()).problems, []);
  assert.equal((await fetch(`${url}/kept/manifests/${kept}`)).status, 200);

  // A referrer that an index lost, as an older program may have.
  const again = await under.restart();
  await again[Symbol.asyncDispose]();
  {
    await using index = await openSqliteStore({ path: join(directory.path, "index.db") });
    await index.transact({ success: [{ kind: "delete", range: { start: `referrer/kept@${kept}/${about}` } }] });
  }
  await using last = await listenForTest({}, directory.path);
  const [problem] = (await last.registry.check({ repair: true })).problems;
  assert.match(problem?.problem ?? "", /is not told of as a referrer/);
  const referrers = await fetch(`${last.url}/kept/referrers/${kept}`);
  assert.match(await referrers.text(), new RegExp(about));
  assert.ok((await readFile(file(kept))).byteLength > 0);
});
