import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import type { ImageRuntimeConfig } from "../image-config.ts";
import { applyChanges } from "./apply-changes.ts";
import { parseChanges } from "./parse-changes.ts";
import { ShellPattern } from "./shell-pattern.ts";
import { expandWord, splitWords } from "./shell-word.ts";

const from: ImageRuntimeConfig = { Env: ["PATH=/bin", "NAME=web"], Cmd: ["old"], WorkingDir: "/srv" };

describe("one instruction", () => {
  const cases: readonly [change: string, want: Partial<ImageRuntimeConfig>][] = [
    ["CMD echo hi there", { Cmd: ["/bin/sh", "-c", "echo hi there"] }],
    ['CMD ["echo", "$NAME"]', { Cmd: ["echo", "$NAME"] }],
    ["CMD [not json", { Cmd: ["/bin/sh", "-c", "[not json"] }],
    ["cmd []", { Cmd: [] }],
    ['ENTRYPOINT ["/init"]', { Entrypoint: ["/init"], Cmd: undefined }],
    ["ENTRYPOINT exec top", { Entrypoint: ["/bin/sh", "-c", "exec top"], Cmd: undefined }],
    ["ENV A=1", { Env: ["PATH=/bin", "NAME=web", "A=1"] }],
    ["ENV A=1 B='two words' C=\"$NAME\" NAME=x", { Env: ["PATH=/bin", "NAME=x", "A=1", "B=two words", "C=web"] }],
    ["ENV PATH=$PATH:/opt/${NAME}/bin", { Env: ["PATH=/bin:/opt/web/bin", "NAME=web"] }],
    ["ENV GREETING hello  there", { Env: ["PATH=/bin", "NAME=web", "GREETING=hello  there"] }],
    ["ENV A= B=\\$NAME", { Env: ["PATH=/bin", "NAME=web", "A=", "B=$NAME"] }],
    [
      "EXPOSE 80 53/udp 8000-8002/TCP",
      { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {} } },
    ],
    ['LABEL a=b c.d="e f" ${NAME}=1', { Labels: { a: "b", "c.d": "e f", web: "1" } }],
    ["ONBUILD RUN make  $X", { OnBuild: ["RUN make  $X"] }],
    ["ONBUILD HEALTHCHECK --interval=1s CMD true", { OnBuild: ["HEALTHCHECK --interval=1s CMD true"] }],
    ["USER ${USERNAME:-1000:1000}", { User: "1000:1000" }],
    ["VOLUME /data /logs", { Volumes: { "/data": {}, "/logs": {} } }],
    ['VOLUME ["/with space", "/$NAME"]', { Volumes: { "/with space": {}, "/web": {} } }],
    ["WORKDIR /a/../b/", { WorkingDir: "/b" }],
    ["WORKDIR deeper", { WorkingDir: "/srv/deeper" }],
    ["STOPSIGNAL SIGQUIT", { StopSignal: "SIGQUIT" }],
    ["HEALTHCHECK NONE", { Healthcheck: { Test: ["NONE"] } }],
    [
      "HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 --start-period=0s CMD curl -f localhost",
      { Healthcheck: { Test: ["CMD-SHELL", "curl -f localhost"], Interval: 90e9, Timeout: 5e8, Retries: 3 } },
    ],
    ['HEALTHCHECK CMD ["true"]', { Healthcheck: { Test: ["CMD", "true"] } }],
    ["ENV A=1 \\\n  B=2", { Env: ["PATH=/bin", "NAME=web", "A=1", "B=2"] }],
    ["# a comment\n\nUSER app", { User: "app" }],
  ];
  for (const [change, want] of cases) {
    test(JSON.stringify(change), () => {
      const expected = Object.entries({ ...from, ...want }).filter(([, value]) => value !== undefined);
      assert.deepEqual(applyChanges(from, [change]), Object.fromEntries(expected));
    });
  }
});

test("several, in order: a command that is given with an entrypoint stays", () => {
  assert.deepEqual(applyChanges(from, ['CMD ["a"]', 'ENTRYPOINT ["e"]']).Cmd, ["a"]);
  assert.deepEqual(applyChanges(from, ['ENTRYPOINT ["e"]', 'CMD ["a"]']).Cmd, ["a"]);
  assert.deepEqual(applyChanges({}, ["ENV A=1", "ENV B=$A$A", "WORKDIR x", "WORKDIR y"]), {
    Env: ["A=1", "B=11"],
    WorkingDir: "/x/y",
  });
  assert.deepEqual(applyChanges({ Shell: ["/bin/bash", "-lc"] }, ["CMD a b"]).Cmd, ["/bin/bash", "-lc", "a b"]);
});

describe("what is refused", () => {
  const cases: readonly [change: string, message: RegExp][] = [
    ["RUN make", /RUN is not a valid change command/],
    ["constructor x", /constructor is not a valid change command/],
    ["CMD", /CMD requires at least one argument/],
    ["CMD [1]", /only string type is allowed/],
    ["ENV", /ENV requires at least one argument/],
    ["ENV A", /ENV must have two arguments/],
    ["ENV A=1 B", /can't find = in "B"/],
    ["ENV =1", /ENV names can not be blank/],
    ['ENV A="open', /double quote is not closed/],
    ["ENV A=${B", /"}" is missing|unsupported modifier/],
    ["ENV A=${B!x}", /unsupported modifier/],
    ['ENV A="${B:?must be set}"', /must be set/],
    ["EXPOSE 80/http", /invalid proto/],
    ["EXPOSE 99999", /invalid containerPort/],
    ["EXPOSE 9-8", /invalid containerPort/],
    ["EXPOSE x", /invalid containerPort/],
    ["USER", /USER requires exactly one argument/],
    ["VOLUME", /VOLUME requires at least one argument/],
    ['VOLUME [""]', /empty string/],
    ["ONBUILD ONBUILD RUN x", /chaining/],
    ["ONBUILD FROM x", /FROM isn't allowed/],
    ["HEALTHCHECK CURL x", /unknown type "CURL"/],
    ["HEALTHCHECK CMD", /missing command/],
    ["HEALTHCHECK NONE x", /takes no arguments/],
    ["HEALTHCHECK --interval=5 CMD x", /invalid duration "5"/],
    ["HEALTHCHECK --interval=1us CMD x", /less than 1ms/],
    ["HEALTHCHECK --retries=-1 CMD x", /at least 0/],
    ["HEALTHCHECK --often CMD x", /unknown flag: --often/],
    ["HEALTHCHECK --retries=1 --retries=2 CMD x", /duplicate flag/],
    ["STOPSIGNAL NOSUCH", /invalid signal: NOSUCH/],
  ];
  for (const [change, message] of cases) {
    test(JSON.stringify(change), () => {
      const isSignal = (text: string) => text.startsWith("SIG");
      assert.throws(
        () => applyChanges(from, [change], { isSignal }),
        (error) => {
          assert.ok(error instanceof InvalidArgument);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});

test("words", () => {
  const expand = (text: string) => expandWord(text, (name) => ({ A: "a", EMPTY: "" })[name]);
  const cases = {
    "$A-${A}": "a-a",
    "'$A'\"$A\"": "$Aa",
    '"\\$A \\"q\\" \\n"': '$A "q" \\n',
    "a\\ b\\": "a b",
    $: "$",
    "$-": "$-",
    "${EMPTY-x}${EMPTY:-x}": "x",
    "${A+yes}${B+no}${EMPTY:+no}": "yes",
    "${B:-${A:-x}'}'}": "a}",
  };
  for (const [text, want] of Object.entries(cases)) assert.equal(expand(text), want, text);
  assert.deepEqual(splitWords('  a \'b c\'  "d \\" e" f\\ g '), ["a", "'b c'", '"d \\" e"', "f\\ g"]);
});

const INSTRUCTIONS = [
  "CMD",
  "ENTRYPOINT",
  "ENV",
  "EXPOSE",
  "LABEL",
  "ONBUILD",
  "USER",
  "VOLUME",
  "WORKDIR",
  "HEALTHCHECK",
];
const PIECES = [
  "$A",
  "${A",
  "}",
  ":-",
  '"',
  "'",
  "\\",
  " ",
  "=",
  "[",
  "]",
  ",",
  "--interval=",
  "1s",
  "CMD",
  "80",
  "/",
  "#",
  "\n",
  "é",
  "\0",
];

test("any text is read or refused as an invalid argument", () => {
  const text = fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 4 })), { maxLength: 12 });
  const change = fc.tuple(fc.constantFrom(...INSTRUCTIONS, ""), text).map(([word, rest]) => `${word} ${rest.join("")}`);
  fc.assert(
    fc.property(fc.array(change, { maxLength: 3 }), (changes) => {
      try {
        applyChanges(from, changes);
      } catch (error) {
        assert.ok(error instanceof InvalidArgument, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("whatever a value is, it can be said in quotes", () => {
  const value = fc.string({ unit: fc.constantFrom(..."ab $'\"\\{}=#é\t".split("")), maxLength: 20 });
  fc.assert(
    fc.property(value, (text) => {
      const quoted = `"${text.replace(/[\\"$]/g, "\\$&")}"`;
      assert.deepEqual(applyChanges({}, [`ENV KEY=${quoted}`]).Env, [`KEY=${text}`]);
      assert.deepEqual(applyChanges({}, [`LABEL KEY=${quoted}`]).Labels, { KEY: text });
      assert.deepEqual(applyChanges({}, [`CMD ${JSON.stringify([text])}`]).Cmd, [text]);
    }),
    { numRuns: 500 },
  );
});

test("parsing alone changes nothing", () => {
  assert.deepEqual(parseChanges([]), []);
  assert.deepEqual(parseChanges(["\n # only a comment \n"]), []);
});

test("patterns fit what the same regular expressions do", () => {
  const expression = (pattern: string, greedy: boolean) =>
    pattern.replace(/\*|\?/g, (sign) => (sign === "?" ? "." : greedy ? ".*" : ".*?"));
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "\n"), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 6 });
  fc.assert(
    fc.property(text, pattern, (value, written) => {
      const read = new ShellPattern(written);
      for (const longest of [true, false]) {
        const begin = new RegExp(`^${expression(written, longest)}`, "s");
        assert.equal(read.withoutBeginning(value, longest), value.replace(begin, ""), `${longest} beginning`);
        const whole = new RegExp(`^${expression(written, true)}$`, "s");
        const starts = [...Array(value.length + 1).keys()];
        const start = (longest ? starts : starts.reverse()).find((index) => whole.test(value.slice(index)));
        assert.equal(read.withoutEnd(value, longest), value.slice(0, start), `${longest} end`);
      }
      const once = new RegExp(expression(written, true), "s");
      assert.equal(read.replace(value, "x", false), value.replace(once, "x"));
      // Go leaves nothing alone that follows a match at once; JavaScript replaces it.
      let before = 0;
      const every = new RegExp(expression(written, true), "gs");
      const want = value.replace(every, (match: string, offset: number) => {
        const isReplaced = offset + match.length > before || offset === 0;
        before = offset + match.length;
        return isReplaced ? "x" : match;
      });
      assert.equal(read.replace(value, "x", true), want);
    }),
    { numRuns: 2000 },
  );
});

test("words that would take all time or memory are refused", () => {
  const value = "a".repeat(50_000);
  const expand = (text: string) => expandWord(text, () => value);
  for (const modifier of ["##", "#", "%%", "%"]) assert.equal(expand(`\${v${modifier}*a*a*a*a*a*a*a*a*b}`), value);
  assert.equal(expand("${v//*a*a*a*a*a*a*a*a*b/z}"), value);
  assert.throws(() => expand(`\${v//${"a".repeat(2000)}b/}`), { name: "InvalidArgument", message: /too much work/ });
  assert.throws(() => expand("$v".repeat(100)), { name: "InvalidArgument", message: /more than 4194304 characters/ });
  const nested = `${"${v:+".repeat(10_000)}${"}".repeat(10_000)}`;
  assert.throws(() => expand(nested), { name: "InvalidArgument", message: /nested more than 100 deep/ });
  assert.equal(expand("${v:+x}".repeat(1000)), "x".repeat(1000));
});
