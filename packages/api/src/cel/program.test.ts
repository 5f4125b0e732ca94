import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Turns } from "@boxship/base";
import fc from "fast-check";
import { Budget, BudgetExceeded, LaterFields } from "./evaluate.ts";
import { parse } from "./parser.ts";
import { compile, typesOf } from "./program.ts";
import { CelError } from "./syntax.ts";
import { fromJson, toJson, typeName, type Value } from "./values.ts";

const SELF = {
  name: "web",
  replicas: 3,
  ratio: 1.5,
  on: true,
  none: null,
  tags: ["a", "b", "c"],
  labels: { app: "web", "x-y": "z" },
  ports: [
    { name: "http", port: 80 },
    { name: "https", port: 443 },
  ],
};

function evaluate(text: string, budget?: Budget): Value {
  const program = compile(text, { variables: typesOf({ self: "dyn" }) });
  return program.evaluate((name) => (name === "self" ? fromJson(SELF) : undefined), budget);
}

describe("CEL", () => {
  test("what holds", () => {
    const cases = `
      1 + 2 * 3 == 7 && -7 / 2 == -3 && -7 % 3 == -1 && 7.0 / 2.0 == 3.5
      0x10 == 16 && 3u + 2u == 5u && 1e3 == 1000.0 && .5 == 0.5
      dyn(1) == 1.0 && dyn(1u) == 1 && !(dyn(1) == 2u) && dyn("1") != 1
      1 < 2 && 1 < 1.5 && 2u > 1 && "a" < "b" && b"a" < b"b" && false < true
      "a" + "b" == "ab" && [1] + [2] == [1, 2] && b"a" + b"b" == b"ab"
      'single' == "single" && """tri"ple""" == 'tri"ple' && r"\\n" == "\\\\n" && "\\x41\\u0042\\103" == "ABC"
      size(b"\\xff\\377") == 2
      self.name == "web" && self["name"] == "web" && self.labels["x-y"] == "z"
      self.replicas in [1, 2, 3] && "app" in self.labels && !("z" in self.tags) && dyn(3.0) in [3]
      has(self.name) && !has(self.nothing) && !has(self.labels.nothing)
      self.tags.all(t, t.size() == 1) && self.tags.exists(t, t == "b") && self.tags.exists_one(t, t > "b")
      self.labels.all(k, k != "") && self.labels.exists(k, v, v == "z")
      self.tags.map(t, t + t) == ["aa", "bb", "cc"] && self.tags.map(t, t > "a", t + "!") == ["b!", "c!"]
      self.tags.filter(t, t != "b") == ["a", "c"] && self.ports.map(p, p.port).sum() == 523
      self.tags.transformList(i, t, string(i) + t) == ["0a", "1b", "2c"]
      self.labels.transformMap(k, v, v + "!")["app"] == "web!"
      [[1, 2], [3]].map(l, l.map(x, x * 2)) == [[2, 4], [6]]
      self.?name.orValue("x") == "web" && self.?nothing.?more.orValue("x") == "x" && self.tags[?9].orValue("none") == "none"
      optional.of(1).hasValue() && !optional.none().hasValue() && optional.of(2).value() == 2
      self.?replicas.optMap(r, r + 1).orValue(0) == 4 && self.?nothing.optFlatMap(r, optional.of(r)).orValue(7) == 7
      [?self.?name, ?self.?nothing] == ["web"] && {?"a": self.?nothing, "b": 1} == {"b": 1}
      cel.bind(x, self.replicas * 2, x + x) == 12
      (true || self.nothing) && (self.nothing || true) && !(false && self.nothing) && !(self.nothing && false)
      self.tags.exists(t, t == "b" || self.nothing) && (self.on ? 1 : 2) == 1
      type(1) == int && type("a") == string && type([]) == list && type(self) == map && type(null) == null_type
      self.none == null && dyn(null) != 1 && [1, null] == [1, null]
      int("42") == 42 && int(3.9) == 3 && double("1.5") == 1.5 && string(1.5) == "1.5" && uint(3) == 3u && bool("true")
      duration("1h30m") == duration("90m") && duration("1.5s").getMilliseconds() == 500 && duration("90m").getHours() == 1
      timestamp("2024-02-29T12:30:45.5Z").getDayOfYear() == 59 && timestamp("2024-02-29T23:30:00-02:00").getDate() == 1
      timestamp("2024-07-01T12:00:00Z").getHours("America/New_York") == 8 && timestamp("2024-07-01T12:00:00Z").getHours("+05:30") == 17
      timestamp("2024-01-02T00:00:00Z") - timestamp("2024-01-01T00:00:00Z") == duration("24h")
      string(timestamp("2024-01-01T00:00:00.250Z")) == "2024-01-01T00:00:00.25Z" && string(duration("90s")) == "90s"
      "héllo".size() == 5 && "héllo".charAt(1) == "é" && "tacocat".indexOf("a", 2) == 5 && "tacocat".lastIndexOf("a") == 5
      "abc".substring(1) == "bc" && "abc".substring(0, 2) == "ab" && "a,b,c".split(",", 2) == ["a", "b,c"] && ["a", "b"].join("-") == "a-b"
      "hello hello".replace("he", "we", 1) == "wello hello" && " x ".trim() == "x" && "ABC".lowerAscii() == "abc" && "abc".reverse() == "cba"
      "%s is %d and %.2f, %x %s".format(["a", 3, 1.005, 255, [1, "b"]]) == "a is 3 and 1.00, ff [1, b]" || "%.1f".format([2]) == "2.0"
      "abc 123".find("[0-9]+") == "123" && "1 2 3".findAll("[0-9]", 2) == ["1", "2"] && "abc".matches("^a.c$")
      [1, 3, 2].max() == 3 && [3, 1].min() == 1 && [1, 2].isSorted() && ![2, 1].isSorted() && [1, 2, 1].lastIndexOf(1) == 2
      sets.contains([1, 2, 3], [2]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 1], [1])
      quantity("1.5Gi").isGreaterThan(quantity("1Gi")) && quantity("100m").add(quantity("900m")) == quantity("1") && quantity("3").sub(1).asInteger() == 2
      isQuantity("1Mi") && !isQuantity("1 Mi") && quantity("0.5").asApproximateFloat() == 0.5 && !quantity("0.5").isInteger()
      url("https://user@example.com:8443/a%20b?x=1&x=2").getHost() == "example.com:8443" && url("https://example.com/a?x=1").getQuery()["x"] == ["1"]
      url("https://[::1]:80/").getHostname() == "::1" && url("/path").getScheme() == "" && isURL("https://a") && !isURL("nothing here")
      ip("127.0.0.1").isLoopback() && ip("::1").family() == 6 && isIP("10.0.0.1") && !isIP("10.0.0.256") && ip.isCanonical("::1") && !ip.isCanonical("::0:1")
      cidr("10.0.0.0/8").containsIP("10.1.2.3") && cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16") && !cidr("10.1.0.0/16").containsCIDR(cidr("10.0.0.0/8"))
      cidr("192.168.1.7/24").masked() == cidr("192.168.1.0/24") && cidr("2001:db8::/32").prefixLength() == 32 && string(cidr("2001:DB8::/32").masked()) == "2001:db8::/32"
      semver("1.2.3-rc.1").isLessThan(semver("1.2.3")) && semver("v1.2", true) == semver("1.2.0") && isSemver("1.0.0") && !isSemver("v1") && semver("1.10.0").compareTo(semver("1.9.0")) == 1
      !format.dns1123Label().validate("ok").hasValue() && format.dns1123Label().validate("Not").hasValue() && format.named("uuid").hasValue() && !format.named("x").hasValue()
      jsonpatch.escapeKey("a/b~c") == "a~1b~0c"
    `
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    for (const text of cases) assert.equal(evaluate(text), true, text);
  });

  test("what fails when it is evaluated, and why", () => {
    const cases: readonly [string, RegExp][] = [
      ["self.nothing == 1", /no such key: nothing/],
      ["self.tags[9] == 'x'", /index out of bounds: 9/],
      ["1 / 0 == 1", /division by zero/],
      ["9223372036854775807 + 1 > 0", /integer overflow/],
      ["0u - 1u == 0u", /unsigned integer overflow/],
      ["self.name + 1 == 2", /no such overload: _\+_\(string, int\)/],
      ["int('x') == 1", /strconv\.ParseInt/],
      ["duration('x') == duration('1s')", /invalid duration/],
      ["quantity('x').isInteger()", /quantities must match/],
      ["'a'.matches('(')", /error parsing regexp/],
      ["optional.none().value() == 1", /optional\.none\(\) dereference/],
      ["self.tags.all(t, t.size() / (t == 'b' ? 0 : 1) == 1)", /division by zero/],
      ["{'a': 1, 'a': 2}.size() == 1", /already exists/],
    ];
    for (const [text, words] of cases) assert.throws(() => evaluate(text), words, text);
  });

  test("what is no expression, or cannot be one", () => {
    const variables = typesOf({ self: "map<string, int>", n: "int", s: "string" });
    const cases: readonly [string, RegExp][] = [
      ["1 +", /mismatched input <EOF>/],
      ["a b", /mismatched input/],
      ["'open", /does not end/],
      ["#", /token recognition error/],
      ["if", /reserved identifier/],
      ["n.x", /type 'int' does not support field selection/],
      ["other", /undeclared reference to 'other'/],
      ["n + s", /found no matching overload for '_\+_' applied to '\(int, string\)'/],
      ["s.nothing()", /undeclared reference to 'nothing'/],
      ["s.startsWith(1)", /found no matching overload for 'startsWith' applied to 'string\.\(int\)'/],
      ["n && true", /expected type 'bool' but found 'int'/],
      ["self.map(1, 2)", /argument must be a simple name/],
      ["s.all(x, true)", /cannot be range of a comprehension/],
      ["Object{a: 1}", /undeclared reference to 'Object'/],
      ["n", /must evaluate to bool/],
      ["9223372036854775808 > 0", /invalid int literal/],
      ["(".repeat(500), /too deep/],
      ["-".repeat(500), /too deep/],
      [`n${".x".repeat(500)}`, /too deep/],
      [`'${"x".repeat(20_000)}'`, /size exceeds limit/],
    ];
    for (const [text, words] of cases)
      assert.throws(() => compile(text, { variables, results: [{ kind: "simple", name: "bool" }] }), words, text);
  });

  test("what costs too much ends, whatever it tries", () => {
    const cases = [
      "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, true))))))",
      `cel.bind(x0, "0123456789", ${Array.from({ length: 60 }, (_, i) => `cel.bind(x${i + 1}, x${i} + x${i}, `).join("")}x60.size() > 0${")".repeat(61)}`,
      `[1].all(x, ${"[1,2,3,4,5,6,7,8,9].map(a, ".repeat(12)}1${")".repeat(12)}.size() > 0 || true)`,
    ];
    for (const text of cases) assert.throws(() => evaluate(text), BudgetExceeded, text);
    const started = performance.now();
    evaluate(`"${"a".repeat(2000)}!".matches("(a+)+$") || true`);
    assert.ok(performance.now() - started < 5000, "regular expressions do not go back");
    assert.throws(() => evaluate("self.tags.all(t, t.size() == 1)", new Budget(5)), BudgetExceeded);
  });

  test("calls that take long for what goes into them, or give much more, cost as much before they are made", () => {
    const [long, list] = ["a".repeat(400_000), Array.from({ length: 20_000 }, (_, index) => ({ index }))];
    const self = fromJson({ long, half: `${"a".repeat(200_000)}b`, list, same: structuredClone(list) });
    const cases = [
      "self.long.indexOf(self.half) < 0",
      "self.long.lastIndexOf(self.half) < 0",
      "self.long.contains(self.half)",
      "self.long.replace('', self.long).size() > 0",
      "self.long.replace('a', self.half, 300000).size() > 0",
      "self.long.split(self.half).size() > 0",
      "self.long.split('').join(self.long).size() > 0",
      `self.long.matches('${"b?".repeat(100)}')`,
      "self.list.distinct().size() > 0",
      "sets.contains(self.list, self.same)",
      "sets.equivalent(self.list, self.same)",
      "sets.intersects(self.list, self.same.map(x, x.index))",
      "self.list.all(x, self.list == self.same)",
      "self.list.all(x, self.list != self.same || true)",
      "self.list.all(x, 5 in self.same || true)",
      "self.list.all(x, '%s'.format([self.list]) != '')",
    ];
    const { heapUsed } = process.memoryUsage();
    for (const text of cases) {
      const program = compile(text, { variables: typesOf({ self: "dyn" }) });
      assert.throws(() => program.evaluate((name) => (name === "self" ? self : undefined)), BudgetExceeded, text);
    }
    assert.ok(process.memoryUsage().heapUsed - heapUsed < 200_000_000);
    assert.equal(evaluate("['b', 'a', 'b'].distinct() == ['b', 'a'] && [1, 2, 1u].distinct() == [1, 2]"), true);
    assert.throws(() => evaluate(`int('${"9".repeat(60)}')`), /value out of range/);
  });

  test("a long evaluation gives way, in what others see through variables, too", () => {
    const digits = "[1,2,3,4,5,6,7,8,9,0]";
    const heavy = "abcdefg".split("").reduceRight((inner, name) => `${digits}.all(${name}, ${inner})`, "true");
    const turnsOf = (text: string, variables: Record<string, string> = {}): number => {
      const program = compile(text, { variables: typesOf({ variables: "dyn" }) });
      const own = new (class extends LaterFields {
        *make(name: string): Turns<Value | undefined> {
          return yield* compile(variables[name] ?? "null", { variables: typesOf({}) }).steps(() => undefined, budget);
        }
      })();
      const budget = new Budget(1_000_000);
      const work = program.steps((name) => (name === "variables" ? own : undefined), budget);
      let turns = 0;
      assert.throws(() => {
        while (work.next().done !== true) turns++;
      }, BudgetExceeded);
      return turns;
    };
    for (const text of [
      heavy,
      `!(${heavy})`,
      `${heavy} ? 1 : 2`,
      `{'a': ${heavy}}`,
      `[${heavy}][0]`,
      `(${heavy}) == true`,
    ])
      assert.ok(turnsOf(text) > 40, text);
    for (const text of ["variables.x", "variables['x']", "has(variables.x)", "variables.?x.orValue(true)"])
      assert.ok(turnsOf(text, { x: heavy }) > 40, text);
    // Each has to be compiled.
    const patterns = Array.from({ length: 50 }, (_, index) => `"a".matches("^once{${index + 1}}$")`).join(" || ");
    const work = compile(patterns, { variables: typesOf({}) }).steps(() => undefined);
    let turns = 0;
    while (work.next().done !== true) turns++;
    assert.equal(turns, 50);
  });

  test("any text is an expression, or is refused as none", () => {
    const words = fc.constantFrom(
      ..."a self . ( ) [ ] { } , : ? ! - + && || == in 1 'x' 2.5 has all true null .? [? \" \\ ` b'".split(" "),
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
        try {
          parse(parts.join(" "));
        } catch (error) {
          assert.ok(error instanceof CelError, String(error));
        }
      }),
    );
  });

  test("values go to CEL and come back", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const clean = JSON.parse(JSON.stringify(value));
        assert.deepEqual(toJson(fromJson(clean)), clean);
      }),
    );
    assert.equal(typeName(fromJson(3)), "int");
    assert.equal(typeName(fromJson(3.5)), "double");
  });
});
