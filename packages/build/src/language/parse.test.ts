import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { BoxshipError, InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import { corpus } from "../testing/corpus.ts";
import { findStage, parseContainerfile } from "./parse.ts";
import { ContainerfileError } from "./source.ts";

const INVALID = resolve(import.meta.dirname, "../testdata/invalid.json");
const update = process.env["BOXSHIP_TEST_UPDATE"] === "1";

interface Wrong {
  readonly file: string;
  readonly message?: string;
  readonly remedy?: string;
  /** What the BuildKit in Docker 28.5 says of it, as it was recorded; empty when it builds. */
  readonly buildkit?: string;
}

/** Where our words are others on purpose: they say more, or the file is one that only we know what to do with. */
const OWN_WORDS = new Set([
  ..."empty only-comments arg-only run-empty run-empty-exec healthcheck-duration".split(" "),
  ..."mount-no-target mount-option include-missing include-out include-circle zero-byte".split(" "),
]);

const parse = (text: string, files: Readonly<Record<string, string>> = {}) =>
  parseContainerfile(Buffer.from(text), {
    name: "Containerfile",
    include: (path) => Promise.resolve(path in files ? Buffer.from(files[path] ?? "") : undefined),
  });

test("what is wrong is told with file, line and remedy", async () => {
  const cases = JSON.parse(readFileSync(INVALID, "utf8")) as Record<string, Wrong>;
  assert.ok(Object.keys(cases).length >= 30);
  for (const [name, wrong] of Object.entries(cases)) {
    const found = await parse(wrong.file, { circle: "INCLUDE circle\n" }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(found instanceof ContainerfileError, `${name} is accepted`);
    const { buildkit = "" } = wrong;
    const told = { file: wrong.file, message: found.message, remedy: found.remedy, buildkit };
    if (update) cases[name] = told;
    else assert.deepEqual(told, wrong, name);
    assert.match(found.message, /^(?:Containerfile|circle):\d+: \S/, name);
    const gist = buildkit.replace(/^dockerfile parse error on line \d+: | \(did you mean .*\)$/g, "").toLowerCase();
    assert.equal(found.message.toLowerCase().includes(gist) && gist !== "", !OWN_WORDS.has(name), name);
    const line = found.excerpt.find(({ failed }) => failed);
    assert.equal(line?.line, wrong.file === "" ? line?.line : found.place.lines[0], name);
  }
  if (update) writeFileSync(INVALID, `${JSON.stringify(cases, null, 2)}\n`);
  assert.ok(existsSync(INVALID));
});

test("what is shown of a file is short, however long its lines are, and never half a credential", async () => {
  const secret = `https://user:${"s".repeat(700)}@example.com`;
  const wrong = [`LABEL a=${"x".repeat(5_000_000)}`, `FROM scratch\nFETCH ${secret}`, "RUNN \\\n".repeat(500)];
  for (const text of wrong) {
    const found: unknown = await parse(`FROM scratch\n${text}\n`).catch((error: unknown) => error);
    assert.ok(found instanceof ContainerfileError);
    const shown = found.excerpt.map((one) => one.text).join("\n");
    assert.ok(found.excerpt.length <= 50 && shown.length < 2000, `${shown.length} characters`);
    assert.doesNotMatch(shown, /sss/);
  }
  // Nobody looks for the instruction that was meant by this, which would take minutes.
  await assert.rejects(parse(`${"FROMM".repeat(1_000_000)} x`), ContainerfileError);
});

test("the corpus is read, and every instruction knows its lines", async () => {
  for (const { name, directory, file } of corpus()) {
    const parsed = await parseContainerfile(Buffer.from(file), {
      name: "Containerfile",
      include: async (path) => readFileSync(resolve(directory, path)),
    });
    const lines = file.split("\n");
    for (const { from, instructions } of parsed.stages) {
      for (const { place, text } of [from, ...instructions]) {
        if (place.file !== "Containerfile") continue;
        const first = (lines[place.lines[0] - 1] ?? "").trim();
        assert.ok(first.startsWith(text.split(/\s/)[0] ?? "?"), `${name}: ${text} is not at ${place.lines[0]}`);
      }
    }
  }
});

test("stages are found by name, whatever its case, and by number", async () => {
  const file = await parse("FROM a AS One\nFROM b\nFROM c AS one\n");
  const found = (target?: string) => findStage(file, target).index;
  assert.deepEqual([found(), found("ONE"), found("1"), found("0")], [2, 2, 1, 0]);
  assert.throws(() => findStage(file, "two"), /target stage "two" could not be found/);
});

test("heredocs: several, quoted, with tabs dropped, and text that only looks like one", async () => {
  const { stages } = await parse(
    'FROM a\nCOPY <<one <<-"two" /d/\n1 $X\none\n\t2\n\ttwo\nRUN echo $((1<<2)) "<<no"\nRUN cat <<A\n# kept\n\nA\n',
  );
  const [copy, shift, run] = stages[0]?.instructions ?? [];
  assert.ok(copy?.kind === "copy" && shift?.kind === "run" && run?.kind === "run");
  assert.deepEqual(
    copy.heredocs.map(({ name, content, expand }) => [name, content, expand]),
    [
      ["one", "1 $X\n", true],
      ["two", "2\n", false],
    ],
  );
  assert.deepEqual([copy.destination, copy.sources, shift.heredocs.length], ["/d/", [], 0]);
  assert.equal(run.heredocs[0]?.content, "# kept\n\n");
});

test("whatever the text, it is read or refused by name", async () => {
  const words = [
    "FROM a",
    "RUN x",
    "COPY a b",
    "ENV A=1",
    "ARG X",
    "<<EOF",
    "EOF",
    "\\",
    "#",
    '"',
    "'",
    "[",
    "]",
    "--x=",
    "=",
    "$",
    "${A",
    "}",
    "\t",
    " ",
    "`",
  ];
  const piece = fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 6 }));
  const text = fc.array(fc.tuple(piece, fc.constantFrom("\n", " ", "")), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(text, async (pieces) => {
      try {
        await parse(pieces.map(([word, end]) => word + end).join(""));
      } catch (error) {
        assert.ok(error instanceof InvalidArgument && error instanceof BoxshipError, String(error));
        assert.ok(error.remedy !== undefined, error.message);
      }
    }),
    { numRuns: 2000 },
  );
});

test("values survive quoting", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 12 }), async (value) => {
      fc.pre(!/[\n\r\0]/.test(value));
      const quoted = `"${value.replace(/["\\$]/g, "\\$&")}"`;
      const { stages } = await parse(`FROM a\nENV A=${quoted} B=2\n`);
      const [env] = stages[0]?.instructions ?? [];
      assert.ok(env?.kind === "env");
      assert.deepEqual(env.pairs, [
        ["A", quoted],
        ["B", "2"],
      ]);
    }),
    { numRuns: 500 },
  );
});
