import assert from "node:assert/strict";
import { test } from "node:test";
import { durationOption, fluentdAddress, gelfAddress, syslogAddress, syslogFacility } from "./driver-options.ts";
import { planLog } from "./log-plan.ts";

const plan = (type: string, config: Readonly<Record<string, string>> = {}) => planLog({ type, config });

test("sizes are decimal, as Docker has them; drivers that send logs elsewhere keep a copy", () => {
  const { maxSize, maxFile, compress, kept, readable } = plan("json-file", { "max-size": "10m", "max-file": "3" });
  assert.deepEqual([maxSize, maxFile, compress, kept, readable], [10_000_000, 3, false, true, true]);
  assert.equal(plan("").driver, "json-file");
  assert.equal(plan("json-file", { "max-size": "1.5KiB" }).maxSize, 1500);
  assert.equal(plan("json-file", { "max-size": "-1" }).maxSize, 0);
  assert.equal(plan("local").compress, true);
  assert.equal(plan("local", { "max-file": "1" }).compress, false);
  assert.equal(plan("none").kept, false);
  const sent = plan("syslog", { "cache-max-size": "1k", "cache-max-file": "2", "cache-compress": "false" });
  assert.deepEqual([sent.maxSize, sent.maxFile, sent.compress, sent.readable], [1000, 2, false, true]);
  assert.equal(plan("journald", { "cache-disabled": "1" }).readable, false);
  assert.equal(plan("journald", { mode: "non-blocking", "max-buffer-size": "4m" }).maxBacklog, 4 << 20);
});

test("what a driver does not know or cannot take is refused by name", () => {
  const bad: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ["json-file", { "cache-max-size": "1m" }, /unknown log opt 'cache-max-size'/],
    ["local", { labels: "a" }, /unknown log opt 'labels' for log driver local$/],
    ["syslog", { "max-size": "1m" }, /unknown log opt 'max-size' for syslog/],
    ["gelf", { "gelf-address": "udp://h:1", "gelf-compression-level": "10" }, /gelf-compression-level/],
    ["fluentd", { "fluentd-async": "perhaps" }, /^strconv\.ParseBool: parsing "perhaps": invalid syntax$/],
    ["fluentd", { "fluentd-retry-wait": "soon" }, /^time: invalid duration "soon"$/],
    ["fluentd", { "fluentd-async-reconnect-interval": "1ms" }, /between 100ms and 10s/],
    ["syslog", { "syslog-address": "http://x" }, /unsupported scheme: 'http'/],
    ["fluentd", { "fluentd-address": "tcp://x/path" }, /should not contain a path element/],
    ["gelf", { "gelf-address": "http://x:1" }, /endpoint needs to be TCP or UDP/],
    ["awslogs", {}, /log driver awslogs is not supported/],
    ["__proto__", {}, /logging plugin/],
  ];
  for (const [driver, options, message] of bad) assert.throws(() => plan(driver, options), { message }, driver);
});

test("what Docker refuses when it starts the container is kept for the start, in its words", () => {
  const bad: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ["json-file", { "max-size": "0" }, "invalid size: '0'"],
    ["json-file", { "max-size": "ten" }, "invalid size: 'ten'"],
    ["json-file", { "max-size": "9999999t" }, "invalid size: '9999999t'"],
    ["json-file", { "max-file": "0" }, "max-file cannot be less than 1"],
    ["json-file", { "max-file": "" }, 'strconv.Atoi: parsing "": invalid syntax'],
    ["json-file", { compress: "maybe" }, 'strconv.ParseBool: parsing "maybe": invalid syntax'],
    [
      "json-file",
      { compress: "true", "max-file": "1" },
      "compress cannot be true when max-file is less than 2 or max-size is not set",
    ],
    ["json-file", { tag: "{{.Name" }, "template: log-tag:1: unclosed action"],
    ["local", { "max-size": "abc" }, "invalid value for max-size: abc: invalid size: 'abc'"],
    ["local", { "max-file": "abc" }, 'invalid value for max-file: abc: strconv.Atoi: parsing "abc": invalid syntax'],
    ["local", { compress: "x" }, 'error reading compress log option: strconv.ParseBool: parsing "x": invalid syntax'],
    ["local", { compress: "1", "max-file": "1" }, "compression cannot be enabled when max file count is 1"],
  ];
  for (const [driver, options, words] of bad) {
    const { problem, maxFile, kept } = plan(driver, options);
    assert.equal(problem?.message, words);
    assert.deepEqual([kept, maxFile], [true, 5]);
  }
  assert.equal(plan("json-file", { compress: "true" }).problem, undefined);
});

test("addresses", () => {
  assert.deepEqual(syslogAddress({}), { protocol: "local" });
  assert.deepEqual(syslogAddress({ "syslog-address": "udp://h" }), { protocol: "udp", host: "h", port: 514 });
  assert.deepEqual(syslogAddress({ "syslog-address": "tcp://[::1]:601" }), { protocol: "tcp", host: "::1", port: 601 });
  assert.deepEqual(syslogAddress({ "syslog-address": "unix:///dev/log" }), { protocol: "unix", path: "/dev/log" });
  for (const bad of ["h", "udp://h:99999", "udp://h:x", "unix://", "udp://a b", "udp://h?x"]) {
    assert.throws(() => syslogAddress({ "syslog-address": bad }), { code: "InvalidArgument" }, bad);
  }
  assert.deepEqual(
    [syslogFacility(), syslogFacility("local7"), syslogFacility("23"), syslogFacility("ftp")],
    [3, 23, 23, 11],
  );
  assert.throws(() => syslogFacility("24"));
  assert.deepEqual(fluentdAddress(""), { host: "127.0.0.1", port: 24_224 });
  assert.deepEqual(fluentdAddress("h:1"), { host: "h", port: 1 });
  assert.deepEqual(fluentdAddress("unix:///a/b"), { path: "/a/b" });
  assert.deepEqual(fluentdAddress("tls://h"), { host: "h", port: 24_224, tls: {} });
  assert.deepEqual(gelfAddress("udp://[fe80::1]:12201"), { protocol: "udp", host: "fe80::1", port: 12_201 });
  assert.equal(durationOption({ a: "1m1.5s" }, "a"), 61_500);
});
