import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { commandInProcess } from "../testing/in-process.ts";
import { command } from "./system-df.ts";

const HOUR = 3_600_000;

test("details as tables, as JSON, and by a template, with the build cache", async () => {
  await using directory = tempDir("cli-df");
  const usage = {
    LayersSize: 2000,
    Images: [
      { Id: `sha256:${"a".repeat(64)}`, RepoTags: ["web:1"], Created: 1, Size: 2000, SharedSize: 0, Containers: 0 },
    ],
    Containers: null,
    Volumes: [],
    BuildCache: [
      {
        ID: "0123456789abcdef",
        Type: "regular",
        Description: "RUN make",
        Size: 1500,
        InUse: true,
        Shared: false,
        CreatedAt: new Date(Date.now() - 3 * HOUR).toISOString(),
        LastUsedAt: null,
        UsageCount: 2,
      },
    ],
  };
  const server = createServer((_request, response) => void response.end(JSON.stringify(usage)));
  server.listen(directory.join("s"));
  await once(server, "listening");
  const df = (...args: readonly string[]) => commandInProcess(command, args, { socket: directory.join("s") });
  try {
    const { stdout } = await df("-v");
    assert.match(
      stdout,
      /\nBuild cache usage: 1\.5kB\n\nCACHE ID +CACHE TYPE +SIZE +CREATED +LAST USED +USAGE +SHARED\n/,
    );
    assert.match(stdout, /\n0123456789ab\* +regular +1\.5kB +3 hours ago +2 +false\n$/);
    const json = JSON.parse((await df("-v", "--format", "json")).stdout) as Record<string, Record<string, unknown>[]>;
    assert.deepEqual(Object.keys(json).toSorted(), ["BuildCache", "Containers", "Images", "Volumes"]);
    assert.deepEqual(
      [json["Images"]?.[0]?.["Repository"], json["BuildCache"]?.[0]?.["ID"]],
      ["web", "0123456789abcdef*"],
    );
    const named = await df("-v", "--format", "{{range .Images}}{{.Repository}} {{.Tag}}{{end}} {{len .Volumes}}");
    assert.equal(named.stdout, "web 1 0\n");
  } finally {
    server.close();
    await once(server, "close");
  }
});
