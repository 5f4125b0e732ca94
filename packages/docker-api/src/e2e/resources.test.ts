import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { busyboxEntries, pushFixture, REGISTRY_USER, startRegistry } from "@boxship/testkit";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let serial = 0;

const withEach = (task: (docker: DockerClient) => Promise<void>) => async () => {
  for (const docker of engine.docker) await task(docker);
};

describe("networks, volumes and images through the docker command line", { timeout: 240_000 }, () => {
  before(async () => {
    engine = await startEngineUnderTest();
  });
  after(() => engine[Symbol.asyncDispose]());

  test(
    "a network: made, joined, names resolved, left, removed",
    withEach(async (docker) => {
      const network = `net-${serial++}`;
      const id = await docker.ok(["network", "create", "--label", "a=b", network]);
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.equal(
        await docker.ok([
          "network",
          "ls",
          "--filter",
          `name=${network}`,
          "--format",
          "{{.Name}} {{.Driver}} {{.Scope}}",
        ]),
        `${network} bridge local`,
      );
      const again = await docker.run(["network", "create", network]);
      assert.equal(again.status, 1);
      assert.match(again.stderr, /network with name .* already exists/);
      const server = `${network}-server`;
      await docker.ok([
        "run",
        "-d",
        "--name",
        server,
        "--network",
        network,
        "--network-alias",
        "alias-of-it",
        IMAGE,
        "sleep",
        "1000",
      ]);
      const answer = await docker.ok([
        "run",
        "--rm",
        "--network",
        network,
        IMAGE,
        "sh",
        "-c",
        `ping -c 1 -W 5 ${server} && ping -c 1 -W 5 alias-of-it`,
      ]);
      assert.match(answer, /1 packets received[^]*1 packets received/);
      const address = await docker.ok([
        "inspect",
        "-f",
        `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`,
        server,
      ]);
      assert.match(answer, new RegExp(`\\(${address.replaceAll(".", "\\.")}\\)`));
      assert.match(
        await docker.ok([
          "network",
          "inspect",
          "-f",
          "{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}",
          network,
        ]),
        new RegExp(`^${server} ${address}/\\d+$`),
      );
      const busy = await docker.run(["network", "rm", network]);
      assert.equal(busy.status, 1);
      assert.match(busy.stderr, /has active endpoints/);
      const second = `${network}-b`;
      await docker.ok(["network", "create", "--subnet", "10.213.7.0/24", second]);
      await docker.ok(["network", "connect", "--ip", "10.213.7.77", second, server]);
      assert.match(await docker.ok(["exec", server, "ip", "-4", "addr", "show", "eth1"]), /10\.213\.7\.77\/24/);
      await docker.ok(["network", "disconnect", network, server]);
      assert.equal((await docker.run(["exec", server, "ip", "addr", "show", "eth0"])).status, 1);
      await docker.ok(["rm", "-f", server]);
      await docker.ok(["network", "rm", network, second]);
      assert.equal((await docker.run(["network", "inspect", network])).status, 1);
      assert.equal((await docker.run(["network", "rm", "host"])).status, 1);
    }),
  );

  test(
    "volumes: named, anonymous, kept, filtered, pruned",
    withEach(async (docker) => {
      const volume = `vol-${serial++}`;
      assert.equal(await docker.ok(["volume", "create", "--label", "keep=yes", volume]), volume);
      await docker.ok(["run", "--rm", "-v", `${volume}:/data`, IMAGE, "sh", "-c", "echo content > /data/file"]);
      assert.equal(
        await docker.ok([
          "run",
          "--rm",
          "-v",
          `${volume}:/d:ro`,
          IMAGE,
          "sh",
          "-c",
          "cat /d/file; touch /d/x 2>/dev/null || echo read-only",
        ]),
        "content\nread-only",
      );
      assert.match(
        await docker.ok(["volume", "inspect", "-f", "{{.Driver}} {{.Scope}} {{.Labels.keep}} {{.Mountpoint}}", volume]),
        /^local local yes \/./,
      );
      const holder = await docker.ok(["create", "-v", `${volume}:/data`, "-v", "/anonymous", IMAGE, "true"]);
      assert.equal(await docker.ok(["ps", "-aq", "--no-trunc", "--filter", `volume=${volume}`]), holder);
      const used = await docker.run(["volume", "rm", volume]);
      assert.equal(used.status, 1);
      assert.match(used.stderr, /volume is in use/);
      assert.equal(
        await docker.ok(["volume", "ls", "-q", "--filter", "dangling=false", "--filter", `name=${volume}`]),
        volume,
      );
      const mounts = JSON.parse(await docker.ok(["inspect", "-f", "{{json .Mounts}}", holder])) as {
        Type: string;
        Name: string;
        Destination: string;
      }[];
      const anonymous = mounts.find(({ Destination }) => Destination === "/anonymous")?.Name ?? "";
      assert.match(anonymous, /^[0-9a-f]{64}$/);
      await docker.ok(["rm", "-v", holder]);
      assert.equal((await docker.run(["volume", "inspect", anonymous])).status, 1);
      assert.equal(
        await docker.ok(["volume", "ls", "-q", "--filter", "dangling=true", "--filter", "label=keep=yes"]),
        volume,
      );
      await docker.ok(["volume", "rm", volume]);
      assert.equal((await docker.run(["volume", "rm", volume])).status, 1);
    }),
  );

  test(
    "mounts: bind, tmpfs, volume options",
    withEach(async (docker) => {
      const run = (...flags: string[]) => docker.ok(["run", "--rm", ...flags]);
      assert.equal(
        await run(
          "--mount",
          "type=bind,source=/etc/hostname,target=/h,readonly",
          IMAGE,
          "sh",
          "-c",
          "test -s /h && echo there",
        ),
        "there",
      );
      assert.match(
        await run(
          "--mount",
          "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1700",
          IMAGE,
          "sh",
          "-c",
          "grep ' /t ' /proc/mounts; stat -c %a /t",
        ),
        /tmpfs \/t tmpfs .*size=1024k[^]*1700$/,
      );
      const missing = await docker.run([
        "run",
        "--rm",
        "--mount",
        "type=bind,source=/nothing/there,target=/x",
        IMAGE,
        "true",
      ]);
      assert.equal(missing.status, 125);
      assert.match(missing.stderr, /bind source path does not exist/);
    }),
  );

  test(
    "images: named, listed, inspected, removed",
    withEach(async (docker) => {
      const tag = `e2e/tagged:${serial++}`;
      await docker.ok(["tag", IMAGE, tag]);
      const ids = (await docker.ok(["images", "-q", "--no-trunc", "e2e/*"])).split("\n");
      assert.equal(new Set(ids).size, 1);
      assert.equal(
        await docker.ok(["image", "inspect", "-f", "{{.Id}} {{.Os}} {{len .RootFS.Layers}}", tag]),
        `${ids[0]} linux 1`,
      );
      assert.match(await docker.ok(["history", "-q", "--no-trunc", tag]), /sha256|<missing>/);
      assert.equal(
        await docker.ok(["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", `reference=${tag}`]),
        tag,
      );
      assert.equal(await docker.ok(["rmi", tag]), `Untagged: ${tag}`);
      assert.equal((await docker.run(["image", "inspect", tag])).status, 1);
      const container = await docker.ok(["create", IMAGE, "true"]);
      const used = await docker.run(["rmi", IMAGE]);
      assert.equal(used.status, 1);
      assert.match(used.stderr, /is using its referenced image/);
      await docker.ok(["rm", container]);
      assert.equal((await docker.run(["tag", IMAGE, "UPPER"])).status, 1);
      assert.match((await docker.run(["rmi", "nothing-like-it"])).stderr, /No such image: nothing-like-it/);
    }),
  );

  test("pull: progress, again, unknown, refused and with credentials", {
    skip:
      process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd"
        ? "the reference cannot reach a registry on this loopback"
        : false,
  }, async () => {
    await using open = await startRegistry();
    await using closed = await startRegistry({ auth: "htpasswd" });
    const layers = [{ entries: await busyboxEntries() }, { entries: [{ name: "second", content: "layer" }] }];
    const config = { Cmd: ["cat", "/second"], Labels: { made: "here" }, ExposedPorts: { "80/tcp": {} } };
    const image = await pushFixture(open, "team/app:1", { layers, config });
    const secret = await pushFixture(closed, "secret:1", { layers });
    for (const docker of engine.docker) {
      const pulled = await docker.ok(["pull", image.reference]);
      assert.match(pulled, /^1: Pulling from team\/app\n/);
      assert.match(
        pulled,
        new RegExp(`Digest: ${image.manifestDigest}\nStatus: Downloaded newer image for ${image.reference}\n`),
      );
      assert.match(await docker.ok(["pull", image.reference]), /Status: Image is up to date for /);
      assert.equal(await docker.ok(["run", "--rm", image.reference]), "layer");
      assert.equal(
        await docker.ok(["image", "inspect", "-f", "{{.Config.Labels.made}} {{.RepoDigests}}", image.reference]),
        `here [${image.reference.replace(/:1$/, "")}@${image.manifestDigest}]`,
      );
      await docker.ok(["rmi", image.reference]);
      assert.equal(
        await docker.ok(
          ["run", "--rm", "-q", image.reference].filter((flag) => docker.version !== "20.10" || flag !== "-q"),
        ),
        "layer",
      );
      await docker.ok(["rmi", image.reference]);
      const unknown = await docker.run(["pull", `${open.host}/nothing:1`]);
      assert.equal(unknown.status, 1);
      assert.match(unknown.stderr, /not found|manifest unknown/);
      const refused = await docker.run(["pull", secret.reference]);
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, /pull access denied|unauthorized|authentication required/);
    }
    const auth = Buffer.from(JSON.stringify({ ...REGISTRY_USER, serveraddress: closed.host })).toString("base64url");
    const path = `/images/create?fromImage=${encodeURIComponent(secret.reference)}`;
    const answer = await engine.client.call("POST", path, { headers: { "X-Registry-Auth": auth } });
    assert.match(answer.text, /Downloaded newer image/);
    const login = await engine.client.call("POST", "/auth", { body: { ...REGISTRY_USER, serveraddress: closed.host } });
    assert.equal(login.status, 200, login.text);
    assert.match(login.text, /"Status":"Login Succeeded"/);
    const wrong = await engine.client.call("POST", "/auth", {
      body: { username: "x", password: "y", serveraddress: closed.host },
    });
    assert.equal(wrong.status, 401, wrong.text);
  });

  test(
    "info, version and disk usage",
    withEach(async (docker) => {
      const info = JSON.parse(await docker.ok(["info", "--format", "{{json .}}"])) as Record<string, unknown>;
      assert.equal(info["OSType"], "linux");
      assert.ok((info["Images"] as number) >= 1 && (info["NCPU"] as number) >= 1);
      assert.match(
        await docker.ok(["version", "--format", "{{.Server.APIVersion}} {{.Server.Os}}"]),
        /^1\.\d\d linux$/,
      );
      assert.match(await docker.ok(["system", "df"]), /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +\d+ /);
      assert.match(await docker.ok(["system", "df", "-v"]), /e2e\/busybox/);
    }),
  );
});
