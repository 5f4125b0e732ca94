import { deepEqual, equal, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { goDuration } from "@boxship/base";
import fc from "fast-check";
import { describeEvent } from "../commands/events.ts";
import { describeProgress } from "../stream/progress.ts";
import { ansiTime, goTimeOfText, rfc3339Nano } from "./go-time.ts";
import { fullName, invalidReference, parseImageName, pullTarget, shortId, withDefaultTag } from "./image-name.ts";
import { inspectType } from "./inspect-schema.ts";
import { compact, formatInspected, reindent } from "./inspect-writer.ts";
import { naturalCompare } from "./natural-order.ts";
import { parseDuration } from "./parse-duration.ts";
import { parseBytes } from "./parse-size.ts";
import { describePorts, type ListedPort } from "./ports.ts";
import { alignTabs } from "./tab-writer.ts";
import { ellipsis, textWidth } from "./text-width.ts";
import { binarySize, humanDuration, humanSize } from "./units.ts";

/** `testdata/golden.jsonl`: what Docker's own libraries print, kind by kind. */
interface Golden {
  readonly k: string;
  readonly in: unknown;
  readonly want?: unknown;
  readonly error?: string;
  readonly [key: string]: unknown;
}

const golden = readFileSync(new URL("./testdata/golden.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Golden);

const checks: Readonly<Record<string, (golden: Golden) => void>> = {
  duration: ({ in: seconds, want }) => equal(humanDuration(Number(seconds) * 1000), want),
  size({ in: size, h3, h4, b }) {
    deepEqual([humanSize(Number(size), 3), humanSize(Number(size)), binarySize(Number(size))], [h3, h4, b]);
  },
  bytes: ({ in: text, want, error }) => outcome(() => parseBytes(String(text)), want, error),
  parseDuration: ({ in: text, want, error }) => outcome(() => parseDuration(String(text)), want, error),
  goDuration: ({ in: nanoseconds, want }) => equal(goDuration(Number(nanoseconds)), want),
  ellipsis: ({ in: text, w, want }) => equal(ellipsis(String(text), Number(w)), want),
  tabs: ({ in: text, min, pad, want }) =>
    equal(alignTabs(String(text), { minWidth: Number(min), padding: Number(pad) }), want),
  ports: ({ in: ports, want }) => equal(describePorts((ports ?? []) as ListedPort[]), want),
  natural: ({ a, b, less }) => equal(naturalCompare(String(a), String(b)) < 0, less, `${String(a)} < ${String(b)}`),
};

function outcome(work: () => unknown, want: unknown, error: string | undefined): void {
  if (error === undefined) equal(work(), want);
  else throws(work, { message: error });
}

for (const kind of Object.keys(checks)) {
  test(`${kind} as Docker prints it`, () => {
    const cases = golden.filter(({ k }) => k === kind);
    equal(cases.length > 0, true);
    for (const line of cases) checks[kind]?.(line);
  });
}

test("text that fits is not cut, text that does not fits afterwards", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 2, max: 30 }), (text, width) => {
      const cut = ellipsis(text, width);
      if (textWidth(text) <= width) equal(cut, text);
      else equal(textWidth(cut) <= width && cut.endsWith("…"), true);
    }),
  );
});

test("image names, short and long", () => {
  const cases: readonly [text: string, full: string, short: string][] = [
    ["busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["docker.io/library/busybox:1", "docker.io/library/busybox:1", "busybox:1"],
    ["foo/bar", "docker.io/foo/bar:latest", "foo/bar:latest"],
    ["localhost/a", "localhost/a:latest", "localhost/a:latest"],
    ["reg.example:5000/a/b:c", "reg.example:5000/a/b:c", "reg.example:5000/a/b:c"],
    [`a@sha256:${"0".repeat(64)}`, `docker.io/library/a@sha256:${"0".repeat(64)}`, `a@sha256:${"0".repeat(64)}`],
  ];
  for (const [text, full, short] of cases) {
    const name = parseImageName(text);
    equal(name && fullName(name), full);
    equal(name && withDefaultTag(name), short);
  }
  for (const bad of ["", "A", "a b", "a:", "-a", "a//b", "f".repeat(64), "a@sha256:12"])
    equal(parseImageName(bad), undefined, bad);
  equal(invalidReference("Foo:bar"), "invalid reference format: repository name (library/Foo) must be lowercase");
  deepEqual(pullTarget({ repository: "a", tag: undefined, digest: undefined }), { fromImage: "a", tag: "latest" });
  equal(shortId(`sha256:${"a".repeat(64)}`), "a".repeat(12));
});

test("times as Go prints them", () => {
  equal(goTimeOfText("2026-11-21T00:05:55.12340Z"), "2026-11-21 00:05:55.1234 +0000 UTC");
  equal(goTimeOfText("2026-11-21T00:05:55+02:00"), "2026-11-21 00:05:55 +0200 +0200");
  equal(goTimeOfText("nonsense"), "nonsense");
  equal(ansiTime("2026-05-07T21:09:36.000000000+00:00"), "Thu May  7 21:09:36 2026");
  equal(rfc3339Nano(1_000_000_001n).slice(-11), "000000001Z".padStart(11, ".").slice(-11));
});

test("events in one line", () => {
  const event = { Type: "container", Action: "die", Actor: { ID: "abc", Attributes: { name: "n", exitCode: "3" } } };
  equal(describeEvent(event), "container die abc (exitCode=3, name=n)");
  equal(describeEvent({ ...event, Actor: { ID: "abc" } }), "container die abc");
});

test("progress bars", () => {
  equal(describeProgress({ current: 50, total: 100 }, 120), `[${"=".repeat(25)}>${" ".repeat(25)}]      50B/100B`);
  equal(describeProgress({ current: 50, total: 100 }, 80), "     50B/100B");
  equal(describeProgress({ current: 1500 }, 120), "   1.5kB");
  equal(describeProgress({ current: 3, total: 5, units: "s" }, 80), "3/5 s");
  equal(describeProgress({}, 80), "");
});

test("JSON is laid out without touching its values", () => {
  const text = '{"a":[],"b":{},"n":12345678901234567890,"s":"x, {\\"y\\": [1]}","l":[1,{"c":null}]}';
  const want = `{
    "a": [],
    "b": {},
    "n": 12345678901234567890,
    "s": "x, {\\"y\\": [1]}",
    "l": [
        1,
        {
            "c": null
        }
    ]
}`;
  equal(reindent(text, "    "), want);
  equal(compact(want), text);
  fc.assert(
    fc.property(fc.jsonValue(), (value) =>
      equal(reindent(JSON.stringify(value), "  "), JSON.stringify(value, undefined, 2)),
    ),
  );
});

test("inspected objects have Docker's types, and what these do not know comes from the answer", () => {
  const json = '{"Id":"abc","State":{"Running":true,"ExitCode":3},"Config":{"Labels":{"a":"1"}},"Extra":{"x":5}}';
  const show = (format: string): string => {
    const { output, errors } = formatInspected([{ type: "container.InspectResponse", json }], format);
    return errors.length === 0 ? output.trimEnd() : (errors[0]?.message ?? "");
  };
  equal(
    show("{{.ID}} {{.Id}}"),
    "abc abc".replace(
      "abc abc",
      'template parsing error: template: :1:2: executing "" at <.ID>: map has no entry for key "ID"',
    ),
  );
  equal(show("{{.ID}} {{.State.Running}} {{.State.ExitCode}}"), "abc true 3");
  equal(show("{{if .State.Health}}yes{{else}}no{{end}} {{.RestartCount}} {{len .Mounts}}"), "no 0 0");
  equal(show("{{.Extra.x}}"), "5");
  equal(show('{{index .Config.Labels "none"}}|{{.Config.Labels.a}}'), "|1");
  equal(show("{{json .State.ExitCode}}"), "3");
  throws(() => show("{{"), /template parsing error: template: :1: unclosed action/);
  equal(inspectType("container.State").kind, "struct");
});
