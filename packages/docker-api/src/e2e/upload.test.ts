import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { makeTar } from "@boxship/testkit";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let docker: DockerClient;
const reference = process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd";

const make = (name: string, hostConfig: object = {}) =>
  engine.client.json("POST", `/containers/create?name=${name}`, {
    Image: IMAGE,
    Cmd: ["sleep", "1000"],
    HostConfig: { NetworkMode: "none", ...hostConfig },
  });

/** Sends an archive at once, whatever the engine says meanwhile. */
function put(
  container: string,
  path: string,
  archive: Uint8Array,
): Promise<{ readonly status: number; readonly message: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({
      socketPath: engine.socketPath,
      method: "PUT",
      path: `/containers/${container}/archive?path=${path}`,
      headers: { host: "x", "content-type": "application/x-tar", "transfer-encoding": "chunked" },
    });
    sent.on("error", reject).on("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      answer.on("end", () => {
        const { message = "" } = text === "" ? {} : (JSON.parse(text) as { message?: string });
        resolve({ status: answer.statusCode ?? 0, message });
      });
    });
    sent.end(archive);
  });
}

const inside = (container: string, script: string) => docker.ok(["exec", container, "sh", "-c", script]);

describe("archives that are sent into a container", { timeout: 120_000 }, () => {
  before(async () => {
    engine = await startEngineUnderTest();
    [docker] = engine.docker as readonly [DockerClient];
    await make("running");
    await engine.client.json("POST", "/containers/running/start");
    await make("read-only", { ReadonlyRootfs: true });
  });
  after(() => engine[Symbol.asyncDispose]());

  test("one that is refused before it was read: every client hears why", async () => {
    // More than any buffer on the way holds.
    const large = makeTar([{ name: "large", content: randomBytes(20 << 20) }]);
    for (const client of engine.docker) {
      for (let round = 0; round < 5; round++) {
        const { status, stderr } = await client.run(["cp", "-", "read-only:/tmp"], { input: large });
        assert.equal(status, 1);
        assert.match(stderr, /container rootfs is marked read-only/);
      }
    }
    const refusals = [
      ["read-only", "/tmp", /container rootfs is marked read-only/],
      ["running", "/no/such", /Could not find the file \/no\/such in container running/],
      ["running", "/bin/busybox", /extraction point .*is not a directory/],
      ["absent", "/tmp", /No such container: absent/],
    ] as const;
    for (const [container, path, message] of refusals) {
      const answer = await put(container, path, large);
      assert.ok(answer.status >= 400, path);
      assert.match(answer.message, message);
    }
    assert.equal((await engine.client.call("GET", "/_ping")).status, 200);
  });

  test("one that is refused in the middle: what came before stays, nothing gets out of the directory", async () => {
    const three = (second: Parameters<typeof makeTar>[0][number]) =>
      makeTar([{ name: "first", content: "1" }, second, { name: "third", content: "3" }]);
    const whole = three({ name: "second", content: "2" });
    const archives: Readonly<Record<string, Buffer>> = {
      climbs: three({ name: "../../../second", content: "2" }),
      linked: three({ name: "second", type: "hardlink", link: "../../../etc/passwd" }),
      cut: whole.subarray(0, 1300),
      corrupt: Buffer.concat([whole.subarray(0, 1024), randomBytes(512), whole.subarray(1536)]),
    };
    for (const [name, archive] of Object.entries(archives)) {
      await inside("running", `mkdir -p /deep/er/${name}`);
      const { status } = await put("running", `/deep/er/${name}`, archive);
      assert.ok(status >= 400, name);
      assert.equal(
        await inside(
          "running",
          `cd /deep/er/${name} && find . -type f; ls -d /second /deep/second 2>/dev/null || true`,
        ),
        "./first",
      );
    }
  });

  test("names from the root and links are those of the container", async () => {
    await inside("running", "mkdir -p /absolute");
    const archive = makeTar([
      { name: "/from/root", content: "1" },
      { name: "link", type: "symlink", link: "/etc" },
      { name: "link/through", content: "2" },
    ]);
    assert.equal((await put("running", "/absolute", archive)).status, 200);
    assert.equal(await inside("running", "cat /absolute/from/root /etc/through"), "12");
  });

  test("a volume of a container that has never run takes files, also where the image has no such directory", async () => {
    await make("created", { Binds: ["uploaded:/not/in/the/image"] });
    const archive = makeTar([{ name: "file", content: "kept" }]);
    assert.equal((await put("created", "/not/in/the/image", archive)).status, 200);
    assert.equal(
      await docker.ok(["run", "--rm", "--network", "none", "-v", "uploaded:/v", IMAGE, "cat", "/v/file"]),
      "kept",
    );
    const changes = await docker.ok(["diff", "created"]);
    assert.equal(changes, reference ? "A /not\nA /not/in\nA /not/in/the\nA /not/in/the/image" : "");
    await engine.client.json("DELETE", "/containers/created?v=1");
  });
});
