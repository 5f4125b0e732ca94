import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { BoxshipError } from "@boxship/base";
import fc from "fast-check";
import { failOnLeaks, temporaryDirectory } from "../testing.ts";
import { busPath, DbusConnection, type DbusSignal, systemBusAddress } from "./connection.ts";
import { type DbusMessage, decodeMessage, encodeMessage, messageLength } from "./message.ts";
import { type DbusValue, typesOf, ValueReader, ValueWriter } from "./values.ts";

failOnLeaks();

const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

test("values of every type are what they were, and have the bytes that the specification says", () => {
  const signature = "ybnqiuxtdsoga(sv)a{sai}v";
  const values: readonly DbusValue[] = [
    ...[255, true, -2, 65535, -3, 4294967295, -4n, 2n ** 64n - 1n, 0.5, "wört", "/a/b", "a{sv}"],
    [["name", { signature: "as", value: ["x", "y"] }]],
    [["one", [1, 2]]],
    { signature: "(bt)", value: [false, 7n] },
  ];
  const writer = new ValueWriter();
  writer.write(signature, values);
  assert.deepEqual(new ValueReader(writer.bytes(), true).read(signature), values);
  // The array's length is that of its one element, without the padding before it.
  const small = new ValueWriter();
  small.write("ya(x)", [1, [[2n]]]);
  assert.equal(small.bytes().toString("hex"), "01000000080000000200000000000000");
  const big = Buffer.from("000000010000000361626300", "hex");
  assert.deepEqual(new ValueReader(big, false).read("us"), [1, "abc"]);
  for (const wrong of ["a", "(s", "()", "{sv", "z", ")", `${"a".repeat(70)}s`]) {
    assert.throws(() => typesOf(wrong), { code: "InvalidArgument" }, wrong);
  }
  for (const [type, value] of [
    ["s", 1],
    ["u", "x"],
    ["t", 1],
    ["as", "x"],
    ["v", ["x"]],
    ["s", "a\0b"],
  ] as const) {
    assert.throws(() => new ValueWriter().write(type, [value]), { code: "InvalidArgument" }, type);
  }
});

test("bytes that are no message are refused, whatever they are", () => {
  const whole = encodeMessage({ type: 4, flags: 0, serial: 7, path: "/a", signature: "sa{sv}", body: ["x", []] });
  assert.equal(messageLength(whole), whole.length);
  assert.equal(messageLength(whole.subarray(0, 15)), undefined);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
      const bytes = Buffer.from(whole.subarray(0, length));
      if (at < length) bytes[at] = byte;
      try {
        messageLength(bytes);
        const read: DbusMessage = decodeMessage(bytes);
        assert.ok(read.body.length <= 2);
      } catch (error) {
        assert.ok(error instanceof BoxshipError, String(error));
      }
    }),
  );
});

test("buses are found by their addresses", () => {
  assert.equal(busPath(systemBusAddress({})), "/run/dbus/system_bus_socket");
  assert.equal(busPath(systemBusAddress({ DBUS_SYSTEM_BUS_ADDRESS: "tcp:host=x;unix:guid=1,path=/a%20b" })), "/a b");
  assert.throws(() => busPath("unix:abstract=x"), { code: "Unsupported", message: /unix:abstract=x/ });
});

const DAEMON = [
  "/usr/bin/dbus-daemon",
  `${import.meta.dirname}/../../../../.cache/parts/root/usr/bin/dbus-daemon`,
].find(existsSync);

test("calls, answers, signals and the end of a real bus", { skip: DAEMON === undefined }, async () => {
  using directory = temporaryDirectory();
  const path = `${directory.path}/bus`;
  writeFileSync(
    `${directory.path}/conf`,
    `<busconfig><listen>unix:path=${path}</listen><auth>EXTERNAL</auth><policy context="default"><allow user="*"/>
     <allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`,
  );
  await assert.rejects(DbusConnection.open(path), {
    code: "Unavailable",
    message: `no message bus answers at ${path}`,
  });
  const args = [`--config-file=${directory.path}/conf`, "--nofork", "--nopidfile", "--print-address=1"];
  const daemon = spawn(DAEMON ?? "", args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(daemon.stdout, "data");
  const heard = Promise.withResolvers<DbusSignal>();
  using one = await DbusConnection.open(path, {
    signal: (signal) => signal.member === "Happened" && heard.resolve(signal),
  });
  using two = await DbusConnection.open(path, {
    answer: ({ member, body }) => (member === "Echo" ? { signature: "s", body } : undefined),
  });
  await two.own("org.example.Echo");
  await assert.rejects(one.own("org.example.Echo"), { code: "FailedPrecondition" });
  const { body: pid } = await one.call({
    ...BUS,
    member: "GetConnectionUnixProcessID",
    signature: "s",
    body: ["org.example.Echo"],
  });
  assert.deepEqual(pid, [process.pid]);
  const echo = {
    destination: "org.example.Echo",
    path: "/",
    interface: "org.example.Echo",
    member: "Echo",
    signature: "s",
  };
  const long = "x".repeat(1 << 20);
  assert.deepEqual((await one.call({ ...echo, body: [long] })).body, [long]);
  const many = await Promise.all(
    Array.from({ length: 50 }, async (_, at) => (await one.call({ ...echo, body: [String(at)] })).body[0]),
  );
  assert.deepEqual(
    many,
    Array.from({ length: 50 }, (_, at) => String(at)),
  );
  await assert.rejects(one.call({ ...echo, member: "None", body: [""] }), {
    code: "Unsupported",
    message: /org\.example\.Echo\.None is not known/,
  });
  await assert.rejects(one.call({ ...echo, destination: "org.example.Nobody", body: [""] }), {
    code: "Unavailable",
    message: /org\.example\.Nobody/,
  });
  await one.match("type='signal',interface='org.example.Echo'");
  two.emit({ path: "/here", interface: "org.example.Echo", member: "Happened", signature: "ub", body: [7, true] });
  const { path: where, body } = await heard.promise;
  assert.deepEqual([where, body], ["/here", [7, true]]);
  daemon.kill("SIGKILL");
  await Promise.all([one.closed, two.closed, once(daemon, "exit")]);
  await assert.rejects(one.call({ ...echo, body: ["late"] }), { code: "Unavailable" });
});
