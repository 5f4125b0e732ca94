import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { test } from "node:test";
import { createServer } from "node:tls";
import { FakeClock, systemClock } from "@boxship/base";
import {
  runProgram,
  startFluentdServer,
  startGelfServer,
  startJournal,
  startSyslogServer,
  tempDir,
} from "@boxship/testkit";
import type { ConnectLog, LogMessage } from "./contract.ts";
import { encodeFluentd, type FluentdOptions, fluentdTarget } from "./fluentd.ts";
import { gelfPackets, gelfTarget } from "./gelf.ts";
import { journaldTarget, journalFieldName } from "./journald.ts";
import { encodeSyslog, type SyslogAddress, type SyslogFormat, syslogTarget } from "./syslog.ts";

const TIME = 1_767_323_045_678_901_234n;
const clock = systemClock;

function message(text: string | Buffer, change: Partial<LogMessage> = {}): LogMessage {
  return { stream: "stdout", time: TIME, text: Buffer.from(text), ...change };
}

async function sendAll(connect: ConnectLog, messages: readonly LogMessage[]): Promise<void> {
  await using connection = await connect(new AbortController().signal);
  await connection.send(messages);
}

const tagOf = (protocol: string, format: string) => `${protocol.replace("+", "-")}-${format || "plain"}`;

test("syslog: rsyslogd understands every format over UDP, TCP and a unix socket", async () => {
  await using server = await startSyslogServer();
  const { port, socketPath } = server;
  const addresses: readonly SyslogAddress[] = [
    { protocol: "udp", host: "localhost", port },
    { protocol: "tcp", host: "127.0.0.1", port },
    { protocol: "unix", path: socketPath },
    { protocol: "unixgram", path: socketPath },
  ];
  const formats: readonly SyslogFormat[] = ["", "rfc3164", "rfc5424", "rfc5424micro"];
  let count = 0;
  for (const address of addresses) {
    for (const format of formats) {
      const tag = tagOf(address.protocol, format);
      const target = syslogTarget({ address, format, facility: 17, tag, clock });
      await sendAll(target, [
        message("to standard output"),
        message("to standard error", { stream: "stderr" }),
        message(""),
      ]);
      count += 2;
    }
  }
  const entries = await server.atLeast(count);
  assert.equal(entries.length, count);
  for (const { protocol } of addresses) {
    for (const format of formats) {
      // rsyslogd's local sockets understand the plain format only, from Docker and us alike.
      if (protocol.startsWith("unix") && format !== "") continue;
      const mine = entries.filter((entry) => entry.app === tagOf(protocol, format));
      assert.deepEqual(
        mine.map((entry) => [entry.facility, entry.severity, entry.process, entry.message.trim()]),
        [
          ["local1", "info", String(process.pid), "to standard output"],
          ["local1", "err", String(process.pid), "to standard error"],
        ],
        `${protocol}/${format}`,
      );
      const time = new Date(mine[0]?.time ?? "").toISOString();
      if (format === "rfc5424micro") {
        assert.match(mine[0]?.time ?? "", /:05\.678901/);
        assert.equal(time, "2026-01-02T03:04:05.678Z");
      } else if (format === "rfc5424") assert.equal(time, "2026-01-02T03:04:05.000Z");
      if (format !== "" && protocol !== "unix" && protocol !== "unixgram") assert.equal(mine[0]?.host, hostname());
    }
  }
});

test("syslog: bytes stay as they are, and messages do not run together", async () => {
  const options = { address: { protocol: "local" }, format: "rfc5424", facility: 3, tag: "t", clock } as const;
  const bytes = Buffer.from([0x61, 0xff, 0x00, 0x62]);
  const encoded = encodeSyslog(message(bytes), options);
  assert.match(encoded.toString("latin1"), /^<30>1 2026-01-0\dT\d\d:04:05\S+ \S+ t \d+ t - a\xff\0b\n$/);
  await using server = await startSyslogServer();
  const target = syslogTarget({ ...options, address: { protocol: "tcp", host: "127.0.0.1", port: server.port } });
  await sendAll(
    target,
    Array.from({ length: 500 }, (_, n) => message(`line ${n} ${"x".repeat(n)}`)),
  );
  const entries = await server.atLeast(500);
  assert.deepEqual(
    entries.map((entry) => entry.message.trim().length),
    Array.from({ length: 500 }, (_, n) => `line ${n} ${"x".repeat(n)}`.trim().length),
  );
});

test("syslog: over TLS messages are counted, and the server's certificate is checked", async () => {
  await using directory = tempDir("tls");
  const [key, certificate] = [directory.join("key"), directory.join("certificate")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const made = await runProgram([
    ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate],
    ...subject,
  ]);
  assert.equal(made.status, 0, made.stderr);
  const cert = await readFile(certificate);
  let received = "";
  const server = createServer({ key: await readFile(key), cert }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      received += data.toString();
    });
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as { readonly port: number };
    const target = (tls: object, host = "localhost") =>
      syslogTarget({
        address: { protocol: "tcp+tls", host, port, tls },
        format: "rfc5424",
        facility: 3,
        tag: "t",
        clock,
      });
    await assert.rejects(sendAll(target({}), [message("no")]), /self-signed|certificate/);
    await sendAll(target({ ca: cert }, "127.0.0.1"), [message("one"), message("two")]);
    await sendAll(target({ rejectUnauthorized: false }), [message("three")]);
    while (!received.includes("three")) await new Promise((resolve) => setTimeout(resolve, 5));
    const [, length = "", rest = ""] = /^(\d+) (<30>1 [^]*)$/.exec(received) ?? [];
    assert.match(rest.slice(0, Number(length)), / - one\n$/);
    assert.match(rest.slice(Number(length)), /^\d+ <30>1 .* - two\n\d+ <30>1 .* - three\n$/);
  } finally {
    server.close();
  }
});

test("gelf: UDP in chunks with every compression, and TCP", async () => {
  await using server = await startGelfServer();
  const base = {
    host: "127.0.0.1",
    port: server.port,
    compression: "gzip",
    compressionLevel: 1,
    fields: { _tag: "t", _container_name: "web" },
    clock,
  } as const;
  const random = Buffer.from(Array.from({ length: 8000 }, (_, n) => 33 + ((n * 7919) % 90)));
  for (const compression of ["gzip", "zlib", "none"] as const) {
    const target = gelfTarget({ ...base, protocol: "udp", compression });
    await sendAll(target, [message("short"), message(random, { stream: "stderr" }), message("")]);
  }
  await sendAll(gelfTarget({ ...base, protocol: "tcp" }), [message("over TCP"), message("")]);
  const entries = await server.atLeast(7);
  assert.equal(entries.length, 7);
  assert.ok(server.packets > 9, `${server.packets} packets`);
  assert.deepEqual(entries[0], {
    version: "1.1",
    host: hostname(),
    short_message: "short",
    timestamp: 1_767_323_045.678,
    level: 6,
    _tag: "t",
    _container_name: "web",
  });
  assert.deepEqual([entries[1]?.["level"], entries[1]?.["short_message"]], [3, random.toString()]);
  assert.equal(entries[6]?.["short_message"], "over TCP");
  assert.deepEqual(gelfPackets(Buffer.alloc(1408 * 128 + 1)), []);
});

function fluentd(change: Partial<FluentdOptions>): FluentdOptions {
  return {
    address: { host: "127.0.0.1", port: 0 },
    tag: "t",
    fields: { container_id: "0123" },
    extra: { label: "value" },
    subSecond: false,
    acknowledge: false,
    acknowledgeTimeout: 5000,
    clock,
    ...change,
  };
}

test("fluentd: TCP and a unix socket, whole and exact times, all lengths, bytes that are no text", async () => {
  await using server = await startFluentdServer();
  const long = "x".repeat(70_000);
  await sendAll(fluentdTarget(fluentd({ address: { host: "127.0.0.1", port: server.port } })), [
    message("one"),
    message("e".repeat(40), { stream: "stderr", partial: { id: "abc", ordinal: 2, last: true } }),
    message("l".repeat(300)),
    message(long),
  ]);
  await sendAll(fluentdTarget(fluentd({ address: { path: server.socketPath }, subSecond: true })), [message("two")]);
  const entries = await server.atLeast(5);
  const seconds = (TIME / 1_000_000_000n) * 1_000_000_000n;
  assert.deepEqual(entries[0], {
    tag: "t",
    time: seconds,
    precise: false,
    record: { container_id: "0123", source: "stdout", log: "one", label: "value" },
    option: {},
  });
  assert.deepEqual(entries[1]?.record, {
    container_id: "0123",
    source: "stderr",
    log: "e".repeat(40),
    label: "value",
    partial_message: "true",
    partial_id: "abc",
    partial_ordinal: "2",
    partial_last: "true",
  });
  assert.deepEqual([entries[2]?.record["log"]?.length, entries[3]?.record["log"]], [300, long]);
  assert.deepEqual([entries[4]?.time, entries[4]?.precise], [TIME, true]);
  const raw = encodeFluentd(message(Buffer.from([0xff, 0x00])), fluentd({}));
  assert.ok(raw.includes(Buffer.from([0xa3, 0x6c, 0x6f, 0x67, 0xa2, 0xff, 0x00])));
});

test("fluentd: a message counts when it is acknowledged", async () => {
  let silent = false;
  await using server = await startFluentdServer({ acknowledge: () => !silent });
  const time = new FakeClock();
  const address = { host: "127.0.0.1", port: server.port };
  const target = fluentdTarget(fluentd({ address, acknowledge: true, clock: time }));
  await using connection = await target(new AbortController().signal);
  await connection.send([message("one"), message("two"), message("three")]);
  assert.equal(new Set(server.entries.map(({ option }) => option["chunk"])).size, 3);
  silent = true;
  const waiting = connection.send([message("four")]);
  await server.atLeast(4);
  await Promise.all([assert.rejects(waiting, /acknowledged nothing for 5 s/), time.advance(5000)]);
  const cut = connection.send([message("five")]);
  await server.atLeast(5);
  server.cut();
  await assert.rejects(cut, /broke/);
  assert.equal(connection.open, false);
});

test("journald: a real journal has every field, newlines and bytes included", async (t) => {
  await using journal = await startJournal();
  if (journal === undefined) return t.skip("there is no systemd-journald here");
  const fields = { CONTAINER_NAME: "web", SYSLOG_IDENTIFIER: "tag", MULTI: "a\nb" };
  await sendAll(journaldTarget({ socketPath: journal.socketPath, fields, clock }), [
    message("hello"),
    message("err", { stream: "stderr", partial: { id: "p", ordinal: 1, last: false } }),
    message(Buffer.from([0x61, 0xff])),
    message("y".repeat(16_384)),
  ]);
  const entries = await journal.atLeast(4, "CONTAINER_NAME", "web");
  const of = (index: number, ...names: readonly string[]) => names.map((name) => entries[index]?.[name]);
  assert.deepEqual(of(0, "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "MULTI"), ["hello", "6", "tag", "a\nb"]);
  assert.deepEqual(of(0, "SYSLOG_TIMESTAMP"), ["2026-01-02T03:04:05.678901234Z"]);
  assert.deepEqual(of(1, "MESSAGE", "PRIORITY", "CONTAINER_PARTIAL_MESSAGE"), ["err", "3", "true"]);
  assert.deepEqual(of(2, "MESSAGE"), [[0x61, 0xff]]);
  assert.equal(String(entries[3]?.["MESSAGE"]).length, 16_384);
  assert.equal(journalFieldName("__com.example/Some-label"), "COM_EXAMPLE_SOME_LABEL");
});
