import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Boxship,
  type FluentdEntry,
  startBoxship,
  startDockerd,
  startFluentdServer,
  startGelfServer,
  startSyslogServer,
} from "@boxship/testkit";
import { IMAGE, importBusybox } from "../testing/engine-under-test.ts";

interface Answer {
  readonly Id: string;
}

interface Run {
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly script: string;
  readonly name?: string;
}

type Client = Boxship["client"];

/** Labels and variables of which some are asked for. */
const LABELS = { "com.example.team": "blue", plain: "label", other: "no" };
const ENVIRONMENT = ["STAGE=test", "OTHER=no", "PATTERN_A=1", "PATTERN_B=2"];
const ATTRIBUTES = {
  labels: "plain,absent",
  "labels-regex": "^com\\.example",
  env: "STAGE",
  "env-regex": "^PATTERN_[A-Z]$",
};

async function run(client: Client, { driver, options, script, name }: Run): Promise<string> {
  const { Id } = await client.json<Answer>("POST", `/containers/create?name=${name ?? ""}`, {
    Image: IMAGE,
    Cmd: ["sh", "-c", script],
    Env: ENVIRONMENT,
    Labels: LABELS,
    HostConfig: { NetworkMode: "none", LogConfig: { Type: driver, Config: options } },
  });
  await client.json("POST", `/containers/${Id}/start`);
  await client.json("POST", `/containers/${Id}/wait`);
  return Id;
}

const SCRIPT = `echo one; echo two >&2; echo; printf 'a\\tb\\377c\\n'; head -c 40000 /dev/zero | tr '\\0' z; echo; printf 'no end'`;

const TAG = '{{.Name}}/{{.ImageName}}/{{with split .ImageName ":"}}{{join . "+"}}{{end}}/{{.DaemonName}}';

describe("what arrives at log servers is what Docker sends", {
  skip: process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd" ? "it compares both" : false,
}, () => {
  const stack = new AsyncDisposableStack();
  let clients: Readonly<Record<"docker" | "ours", Client>>;

  before(async () => {
    // Not in a network namespace of its own: it must reach the servers. Without a bridge it changes nothing outside.
    const flags = ["--bridge=none", "--iptables=false", "--ip6tables=false"];
    const dockerd = stack.use(await startDockerd({ isolated: false, flags }));
    const boxship = stack.use(await startBoxship());
    clients = { docker: dockerd.client, ours: boxship.client };
    await Promise.all([importBusybox(dockerd.socketPath), importBusybox(boxship.socketPath)]);
  });
  after(() => stack.disposeAsync());

  /** Runs the same on both, one after the other. */
  async function both<T>(
    spec: Run,
    look: (id: string) => Promise<T>,
  ): Promise<{ readonly docker: T; readonly ours: T }> {
    const ofOne = async (client: Client) => {
      const id = await run(client, { ...spec, name: "logged" });
      const seen = await look(id);
      await client.json("DELETE", `/containers/${id}`);
      return seen;
    };
    return { docker: await ofOne(clients.docker), ours: await ofOne(clients.ours) };
  }

  test("fluentd: tags, labels, variables, pieces of long lines", async () => {
    for (const precise of ["false", "true"]) {
      let seen = 0;
      await using server = await startFluentdServer();
      const options = {
        "fluentd-address": `unix://${server.socketPath}`,
        "fluentd-sub-second-precision": precise,
        tag: TAG,
        ...ATTRIBUTES,
      };
      const { docker, ours } = await both({ driver: "fluentd", options, script: SCRIPT }, async (id) => {
        const entries = (await server.atLeast(seen + 8)).slice(seen);
        seen = server.entries.length;
        return byStream(entries.map((entry) => comparable(entry, id)));
      });
      assert.deepEqual(ours, docker);
    }
  });

  test("gelf: UDP and TCP", async () => {
    for (const protocol of ["udp", "tcp"]) {
      let seen = 0;
      await using server = await startGelfServer();
      const options = { "gelf-address": `${protocol}://127.0.0.1:${server.port}`, tag: TAG, ...ATTRIBUTES };
      const script = SCRIPT.replace("printf 'a\\tb\\377c\\n'", "echo 'a<b>&c\u2028'");
      const { docker, ours } = await both({ driver: "gelf", options, script }, async (id) => {
        const entries = (await server.atLeast(seen + 7)).slice(seen);
        seen = server.entries.length;
        return entries
          .map(({ timestamp, _created, ...rest }) => {
            assert.ok(Math.abs(Number(timestamp) * 1000 - Date.now()) < 60_000);
            assert.ok(Math.abs(Date.parse(String(_created)) - Date.now()) < 60_000);
            return JSON.parse(JSON.stringify(rest).replaceAll(id, "ID")) as { level: number; _image_id: string };
          })
          .map((entry) => ({ ...entry, _image_id: /^sha256:[0-9a-f]{64}$/.test(entry._image_id) }))
          .sort((a, b) => a.level - b.level);
      });
      assert.deepEqual(ours, docker);
    }
  });

  test("syslog: every format, facilities, both unix sockets and UDP", async () => {
    await using server = await startSyslogServer();
    let seen = 0;
    const addresses = [
      `udp://127.0.0.1:${server.port}`,
      `tcp://127.0.0.1:${server.port}`,
      `unixgram://${server.socketPath}`,
    ];
    const cases = ["", "rfc3164", "rfc5424", "rfc5424micro"].map((format, index) => ({
      "syslog-address": addresses[index % 3] ?? "",
      "syslog-facility": index % 2 === 0 ? "local3" : "4",
      ...(format === "" ? {} : { "syslog-format": format }),
      tag: "{{.Name}}-{{.DaemonName | upper}}",
    }));
    for (const options of cases) {
      const script = "echo one; sleep 0.1; echo two >&2; echo; echo three";
      const { docker, ours } = await both({ driver: "syslog", options, script }, async () => {
        const entries = (await server.atLeast(seen + 3)).slice(seen);
        seen += entries.length;
        const inOrder = entries.toSorted((a, b) => b.severity.localeCompare(a.severity));
        return inOrder.map(({ time, process: pid, tag, ...rest }) => {
          assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
          const stable = rest.message.replace(/\d{4}-\d\d-\d\dT\S+/, "TIME").replace(/ \d+ /, " PID ");
          return { ...rest, message: stable, tag: tag.replace(pid, "PID"), pid: /^\d+$/.test(pid) };
        });
      });
      assert.deepEqual(ours, docker, JSON.stringify(options));
    }
  });

  test("the same options are refused, with the same words", async () => {
    // Wrong schemes are left out: newer versions of Docker have other words for them than the one that is here.
    const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ["json-file", { nonsense: "1" }],
      ["json-file", { mode: "sometimes" }],
      ["json-file", { "max-buffer-size": "1m" }],
      ["syslog", { "syslog-facility": "nonsense" }],
      ["syslog", { "syslog-format": "nonsense" }],
      ["syslog", { "max-size": "1m" }],
      ["fluentd", { nonsense: "1" }],
      ["gelf", {}],
      ["gelf", { "gelf-address": "udp://x" }],
      ["gelf", { "gelf-address": "udp://x:1", "gelf-compression-type": "rar" }],
      ["gelf", { "gelf-address": "tcp://x:1", "gelf-compression-type": "gzip" }],
      ["gelf", { "gelf-address": "udp://x:1", "gelf-tcp-max-reconnect": "1" }],
      ["journald", { nonsense: "1" }],
    ];
    const other: unknown[] = [];
    for (const [driver, options] of cases) {
      const refusal = async (client: Client) => {
        const body = { Image: IMAGE, Cmd: ["true"], HostConfig: { LogConfig: { Type: driver, Config: options } } };
        const { status, text } = await client.call("POST", "/containers/create", { body });
        return { status, message: (JSON.parse(text) as { readonly message: string }).message };
      };
      const [docker, ours] = [await refusal(clients.docker), await refusal(clients.ours)];
      assert.equal(ours.status, 400, `${driver} ${JSON.stringify(options)}: ${ours.message}`);
      if (!ours.message.startsWith(docker.message)) other.push([driver, ours.message, docker.message]);
    }
    assert.deepEqual(other, []);
  });

  test("a start is refused when nobody listens or an option is wrong, with the same words, unless that does not matter", async () => {
    const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ["syslog", { "syslog-address": "tcp://127.0.0.1:9" }],
      ["syslog", { "syslog-address": "tcp+tls://127.0.0.1:9" }],
      ["syslog", { "syslog-address": "udp://127.0.0.1:9" }],
      ["fluentd", { "fluentd-address": "127.0.0.1:9" }],
      ["fluentd", { "fluentd-address": "unix:///nobody/there" }],
      ["fluentd", { "fluentd-address": "127.0.0.1:9", "fluentd-async": "true" }],
      ["gelf", { "gelf-address": "tcp://127.0.0.1:9" }],
      ["gelf", { "gelf-address": "udp://127.0.0.1:9" }],
      ["journald", {}],
      ["syslog", {}],
      ["json-file", { "max-size": "abc" }],
      ["json-file", { "max-file": "0" }],
      ["json-file", { "max-size": "1m", "max-file": "1", compress: "true" }],
      ["json-file", { "labels-regex": "(" }],
      ["json-file", { tag: "{{.Name" }],
      ["json-file", { tag: "{{.Nope}}" }],
      ["local", { "max-size": "abc" }],
      ["local", { compress: "x" }],
    ];
    for (const [driver, options] of cases) {
      const start = async (client: Client) => {
        const { Id } = await client.json<Answer>("POST", "/containers/create", {
          Image: IMAGE,
          Cmd: ["true"],
          HostConfig: { NetworkMode: "none", LogConfig: { Type: driver, Config: options } },
        });
        const { status, text } = await client.call("POST", `/containers/${Id}/start`);
        if (status === 204) await client.json("POST", `/containers/${Id}/wait`);
        const { State } = await client.json<{ State: Record<string, unknown> }>("GET", `/containers/${Id}/json`);
        await client.json("DELETE", `/containers/${Id}`);
        const { message } = JSON.parse(text || "{}") as { readonly message?: string };
        return { status, message, state: [State["Status"], State["ExitCode"], State["Error"]] };
      };
      const [docker, ours] = await Promise.all([start(clients.docker), start(clients.ours)]);
      assert.deepEqual(ours, docker, `${driver} ${JSON.stringify(options)}`);
    }
  });

  test("details of json-file", async () => {
    const options = { ...ATTRIBUTES, tag: "{{.Name}}" };
    const { docker, ours } = await both({ driver: "json-file", options, script: "echo one; echo two" }, async (id) => {
      const details: Record<string, string> = {};
      for (const [name, client] of Object.entries(clients)) {
        const { status, text } = await client.call("GET", `/containers/${id}/logs?stdout=1&details=1&tail=all`);
        if (status === 200) details[name] = text;
      }
      return Object.values(details);
    });
    assert.deepEqual(ours, docker);
  });
});

function comparable({ tag, time, precise, record, option }: FluentdEntry, id: string): Record<string, unknown> {
  assert.ok(Math.abs(Number(time / 1_000_000n) - Date.now()) < 60_000);
  if (precise) assert.notEqual(time % 1_000_000_000n, 0n);
  const { partial_id: partial, ...rest } = record;
  const known = JSON.parse(JSON.stringify(rest).replaceAll(id, "ID")) as Record<string, unknown>;
  return { tag, precise, ...known, partial: partial !== undefined, option };
}

function byStream(entries: readonly Record<string, unknown>[]): readonly Record<string, unknown>[] {
  return entries.toSorted((a, b) => String(a["source"]).localeCompare(String(b["source"])));
}

describe("log drivers of the engine", {
  skip: process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd" ? "Docker works otherwise" : false,
}, () => {
  let engine: Boxship;
  before(async () => {
    engine = await startBoxship();
    await importBusybox(engine.socketPath);
  });
  after(() => engine[Symbol.asyncDispose]());

  const fluentd = (address: string) => ({ "fluentd-address": address, "fluentd-request-ack": "true" });

  test("a server that is away delays neither the container nor its removal; it gets all when it comes back", async () => {
    const options = { ...fluentd("tcp://127.0.0.1:9"), "fluentd-async": "true" };
    const begun = performance.now();
    const gone = await run(engine.client, { driver: "fluentd", options, script: "echo lost" });
    await engine.client.json("DELETE", `/containers/${gone}`);
    assert.ok(performance.now() - begun < 3000);

    const port = await (async () => {
      await using server = await startFluentdServer();
      return server.port;
    })();
    const script = "for n in $(seq 3000); do echo $n; done";
    const later = { ...fluentd(`127.0.0.1:${port}`), "fluentd-async": "true" };
    const id = await run(engine.client, { driver: "fluentd", options: later, script });
    const { text } = await engine.client.call("GET", `/containers/${id}/logs?stdout=1&tail=1`);
    assert.equal(text.slice(8), "3000\n");
    await engine.crash();
    await engine.start();
    await using server = await startFluentdServer({ port });
    await server.atLeast(3000);
    assert.deepEqual(
      server.entries.map(({ record }) => record["log"]),
      Array.from({ length: 3000 }, (_, n) => String(n + 1)),
    );
    await engine.client.json("DELETE", `/containers/${id}`);
  });

  test("kill -9 while a container prints: nothing is lost, and a batch at most comes twice for each", async () => {
    await using server = await startFluentdServer();
    const { Id } = await engine.client.json<Answer>("POST", "/containers/create", {
      Image: IMAGE,
      Cmd: ["sh", "-c", "n=0; while [ $n -lt 6000 ]; do n=$((n+1)); echo $n; done"],
      HostConfig: { NetworkMode: "none", LogConfig: { Type: "fluentd", Config: fluentd(`127.0.0.1:${server.port}`) } },
    });
    await engine.client.json("POST", `/containers/${Id}/start`);
    for (let crash = 0; crash < 3; crash++) {
      await delay(60);
      await engine.crash();
      await engine.start();
    }
    await engine.client.json("POST", `/containers/${Id}/wait`);
    while (!server.entries.some(({ record }) => record["log"] === "6000")) await delay(20);
    const counts = new Map<string, number>();
    for (const { record } of server.entries) {
      const text = record["log"] ?? "";
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    assert.equal(counts.size, 6000);
    assert.ok(server.entries.length - 6000 <= 3 * 256, `${server.entries.length - 6000} came twice`);
    await engine.client.json("DELETE", `/containers/${Id}`);
  });

  test("--rm sends the last words before the log is removed; rotation keeps what has not been sent", async () => {
    await using server = await startFluentdServer();
    const { Id } = await engine.client.json<Answer>("POST", "/containers/create", {
      Image: IMAGE,
      Cmd: ["sh", "-c", "for n in $(seq 500); do echo $n; done"],
      HostConfig: {
        AutoRemove: true,
        NetworkMode: "none",
        LogConfig: { Type: "fluentd", Config: { ...fluentd(`127.0.0.1:${server.port}`), "cache-max-size": "4k" } },
      },
    });
    const removed = engine.client.json("POST", `/containers/${Id}/wait?condition=removed`);
    await engine.client.json("POST", `/containers/${Id}/start`);
    await removed;
    await server.atLeast(500);
    assert.equal(server.entries.length, 500);
    const left = join(engine.root, "containers");
    for (let waited = 0; (await readdir(left)).some((name) => name.startsWith(Id)); waited++) {
      assert.ok(waited < 100, "the container's directory is still there");
      await delay(50);
    }
  });

  test("without a copy there is nothing to read, and clouds' drivers are refused with what there is instead", async () => {
    const options = { "gelf-address": "udp://127.0.0.1:9", "cache-disabled": "true" };
    const id = await run(engine.client, { driver: "gelf", options, script: "echo one" });
    const { status, text } = await engine.client.call("GET", `/containers/${id}/logs?stdout=1`);
    assert.equal(status, 501);
    assert.match(text, /does not support reading/);
    await engine.client.json("DELETE", `/containers/${id}`);
    for (const driver of ["awslogs", "gcplogs", "splunk", "etwlogs"]) {
      const body = { Image: IMAGE, HostConfig: { LogConfig: { Type: driver, Config: {} } } };
      const refused = await engine.client.call("POST", "/containers/create", { body });
      assert.equal(refused.status, 501);
      assert.match(refused.text, new RegExp(`log driver ${driver} is not supported`));
    }
  });
});
