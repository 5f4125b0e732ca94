import assert from "node:assert/strict";
import { test } from "node:test";
import { hostPlatform, parsePlatform } from "@boxship/oci";
import fc from "fast-check";
import { parseContainerfile } from "../language/index.ts";
import { checkContainerfile } from "./check-file.ts";
import { parseCheckOptions } from "./check-options.ts";
import { Findings } from "./findings.ts";
import { outlineResult } from "./outline-result.ts";
import { RULE_NAMES, ruleUrl } from "./rules.ts";
import { NOTHING } from "./stage-scope.ts";
import { targetsResult } from "./targets-result.ts";
import { columns, showSource } from "./text.ts";

interface Options {
  readonly args?: Readonly<Record<string, string>>;
  readonly ignore?: readonly string[];
  readonly allStages?: boolean;
  readonly target?: string;
}

async function look(text: string, { args = {}, ignore = [], allStages = false, target }: Options = {}) {
  const file = await parseContainerfile(Buffer.from(text), { name: "Dockerfile" });
  const findings = new Findings(parseCheckOptions(args["BUILDKIT_DOCKERFILE_CHECK"] ?? file.check ?? ""));
  const request = {
    ...{ file, target, args, allStages, platform: parsePlatform("linux/amd64") },
    ignore: () => Promise.resolve(ignore),
    isContext: () => false,
    baseOf: () => Promise.resolve({ ...NOTHING, env: ["PATH=/bin", "LANG=C"], triggers: [] }),
  };
  const checked = await checkContainerfile(request, findings);
  return {
    file,
    checked,
    findings: findings.all.map(({ rule, place, message }) => `${place.lines[0]} ${rule}: ${message}`),
  };
}

const clash = (as: string, from: string) => `FromAsCasing: '${as}' and '${from}' keywords' casing do not match`;
const majority = (word: string, casing: string) =>
  `ConsistentInstructionCasing: Command '${word}' should match the case of the command majority (${casing})`;
const secret = (keyword: string, name: string) =>
  `SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (${keyword} "${name}")`;
const multiple = (word: string) =>
  `MultipleInstructionsDisallowed: Multiple ${word} instructions should not be used in the same stage because only the last one will be used`;
const json = (word: string) =>
  `JSONArgsRecommended: JSON arguments recommended for ${word} to prevent unintended behavior related to OS signals`;
const legacy = (word: string) =>
  `LegacyKeyValueFormat: "${word} key=value" should be used instead of legacy "${word} key value" format`;
const comment = (word: string, name: string) =>
  `InvalidDefinitionDescription: Comment for ${word} should follow the format: \`# ${name} <description>\``;
const undefined_ = (name: string, meant = "") =>
  `UndefinedVar: Usage of undefined variable '$${name}'${meant === "" ? "" : ` (did you mean $${meant}?)`}`;
const undeclared = (name: string, meant = "") =>
  `UndefinedArgInFrom: FROM argument '${name}' is not declared${meant === "" ? "" : ` (did you mean ${meant}?)`}`;
const invalidDefault = (image: string) =>
  `InvalidDefaultArgInFrom: Default value for ARG ${image} results in empty or invalid base image name`;
const ignored = (verb: string, file: string) =>
  `CopyIgnoredFile: Attempting to ${verb} file "${file}" that is excluded by .dockerignore`;
const mapped = (word: string) =>
  `ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`;

/** Files, what BuildKit 0.26's rules say of them in a build, and what a build is given. */
const CASES: Readonly<Record<string, readonly [file: string, found: readonly string[], options?: Options]>> = {
  "stage names": [
    "FROM scratch AS Base\nFROM scratch as b2\nFROM scratch AS b3\n",
    ["1 StageNameCasing: Stage name 'Base' should be lowercase", `2 ${clash("as", "FROM")}`],
  ],
  "AS under from": ["from scratch AS a\nfrom scratch as b\n", [`1 ${clash("AS", "from")}`]],
  "a keyword of mixed casing is not compared with AS": [
    "From scratch as a\nFROM scratch AS b\n",
    [`1 ${majority("From", "uppercase")}`],
  ],
  "an empty line in an instruction": [
    "FROM scratch\nCOPY a \\\n\nb\nCOPY a \\\nb\n",
    ["4 NoEmptyContinuation: Empty continuation line"],
  ],
  "the majority is lower case": [
    "FROM scratch\ncopy a b\ncopy a c\nADD x y\n",
    [],
    { args: { BUILDKIT_DOCKERFILE_CHECK: "skip=all" } },
  ],
  "lower case": ["FROM scratch\ncopy a b\ncopy a c\ncopy a d\n", [`1 ${majority("FROM", "lowercase")}`]],
  "a tie is for upper case": ["FROM scratch\ncopy a b\n", [`2 ${majority("copy", "uppercase")}`]],
  "arguments before the first stage are not counted": ["arg A=1\nFROM scratch\n", []],
  "twice the same stage": [
    "FROM scratch AS b\nFROM scratch AS b\n",
    ['2 DuplicateStageName: Duplicate stage name "b", stage names should be unique'],
  ],
  "reserved names": [
    "FROM scratch AS scratch\nFROM busybox AS context\n",
    [
      '1 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"',
      '2 ReservedStageName: Stage name should not use the same name as reserved stage "context"',
    ],
  ],
  "commands for the shell": [
    "FROM scratch\nCMD run\nENTRYPOINT run\n",
    [`2 ${json("CMD")}`, `3 ${json("ENTRYPOINT")}`],
  ],
  "commands for a shell that was chosen, in the stage below, too": [
    'FROM scratch AS a\nSHELL ["/sh"]\nFROM a\nCMD run\nENTRYPOINT run\n',
    [],
  ],
  maintainer: [
    "FROM scratch\nMAINTAINER me\n",
    ["2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"],
  ],
  "a comment switches a rule off for one instruction": [
    "FROM scratch\n# check=skip=MaintainerDeprecated // we know\nMAINTAINER me\n# check=skip=all\nCMD a\nENTRYPOINT b\n",
    [`6 ${json("ENTRYPOINT")}`],
  ],
  "arguments of FROM": [
    "ARG base=scratch\nARG EMPTY\nFROM $base\nFROM --platform=$BUILDPLATFORM scratch${EMPTY}\nFROM scra${EMPTY:-tch}\n",
    [],
  ],
  "a mistyped argument of FROM": [
    "ARG tag=latest\nFROM --platform=linux/amd64${BULIDPLATFORM} busybox:${tag}${version} AS b\n",
    [`2 ${undeclared("version")}`, `2 ${undeclared("BULIDPLATFORM", "BUILDPLATFORM")}`],
  ],
  "a relative working directory, once": [
    "FROM scratch\nWORKDIR app/\nWORKDIR more\n",
    ['2 WorkdirRelativePath: Relative workdir "app/" can have unexpected results if the base image changes'],
  ],
  "a relative working directory below an absolute one of another stage": [
    "FROM scratch AS a\nWORKDIR /app\nFROM a\nWORKDIR sub\n",
    [],
  ],
  "variables that are there": [
    "FROM busybox AS base\nARG foo=a\nARG none\nCOPY a$none $LANG\nFROM base\nCOPY $foo .\nRUN echo $nothing\n",
    [],
  ],
  "variables that are not": [
    "FROM busybox\nCOPY $foo .\nARG foo=bar\nARG DIR_ASSETS=a\nCOPY $DIR_ASSET .\nENV PATH=$PAHT:/x\nENV A=$A ${B:-1}=2\n",
    [
      `2 ${undefined_("foo")}`,
      `5 ${undefined_("DIR_ASSET", "DIR_ASSETS")}`,
      `6 ${undefined_("PAHT", "PATH")}`,
      `7 ${undefined_("A")}`,
      `7 ${undefined_("B")}`,
    ],
  ],
  "variables of a heredoc": [
    'FROM busybox\nCOPY <<A <<"B" /d/\nit\'s $one $LANG \\$two\nA\n$three\nB\n',
    [`2 ${undefined_("one")}`],
  ],
  "variables of a mount": ["FROM busybox\nRUN --mount=type=cache,target=/$where true\n", [`2 ${undefined_("where")}`]],
  "an argument that is given needs no variables": [
    "FROM busybox\nARG A=$nothing\nCOPY $A .\n",
    [],
    { args: { A: "x" } },
  ],
  "the first of two is told": [
    'FROM scratch\nENTRYPOINT ["a"]\nCMD ["a"]\nHEALTHCHECK CMD ["a"]\ncmd ["b"]\nENTRYPOINT ["b"]\nHEALTHCHECK NONE\n',
    [
      `5 ${majority("cmd", "uppercase")}`,
      `3 ${multiple("cmd")}`,
      `2 ${multiple("ENTRYPOINT")}`,
      `4 ${multiple("HEALTHCHECK")}`,
    ],
  ],
  "in two stages there may be two": ['FROM scratch AS a\nCMD ["a"]\nFROM a\nCMD ["b"]\n', []],
  "the old way to write pairs": [
    "FROM scratch\nENV one two\nLABEL three four five\nENV a=b c=d\n",
    [`2 ${legacy("ENV")}`, `3 ${legacy("LABEL")}`],
  ],
  "the platform that is meant anyway": [
    "FROM --platform=${TARGETPLATFORM} scratch\n",
    [
      "1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior",
    ],
  ],
  "secrets by their names": [
    "FROM scratch\nARG SECRET_X\nENV SUPER_Secret=a password=b plain=c\nENV git_key= PUBLIC_KEY= password_file=x monkey=y\nARG AUTH_VERSION apikey=1\nLABEL token=x\n",
    [
      `2 ${secret("ARG", "SECRET_X")}`,
      `3 ${secret("ENV", "SUPER_Secret")}`,
      `3 ${secret("ENV", "password")}`,
      `4 ${secret("ENV", "git_key")}`,
      `5 ${secret("ARG", "apikey")}`,
    ],
  ],
  "FROM without arguments that are given": [
    'ARG VERSION\nARG IMAGE\nARG SFX="box:"\nFROM busybox:$VERSION\nFROM $IMAGE\nFROM busy${SFX}\nFROM busybox:1${VERSION}\n',
    [`4 ${invalidDefault("busybox:$VERSION")}`, `5 ${invalidDefault("$IMAGE")}`, `6 ${invalidDefault("busy${SFX}")}`],
    { args: { VERSION: "1", IMAGE: "busybox", SFX: "box" } },
  ],
  "a default that only stands with an argument": ["ARG V=${W:?}\nFROM busybox:$V\n", [], { args: { V: "1" } }],
  "a platform for good": [
    "FROM --platform=linux/amd64 scratch\nFROM --platform=linux/amd64 scratch AS my_amd64\nFROM --platform=linux/arm64 scratch AS linux\n",
    ['1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"'],
  ],
  "files that are ignored": [
    "FROM scratch AS a\nCOPY ./f d/x /x/\nADD f https://e.example/f /y/\nFROM scratch\nCOPY --from=a f .\nCOPY . .\n",
    [`2 ${ignored("Copy", "f")}`, `2 ${ignored("Copy", "d/x")}`, `3 ${ignored("Add", "f")}`],
    { ignore: ["f", "d"], allStages: true },
  ],
  "nothing is certain with exceptions": ["FROM scratch\nCOPY f .\n", [], { ignore: ["**", "!f"] }],
  "the whole context is ignored": [
    "FROM scratch\nCOPY . .\nCOPY / .\n",
    [`2 ${ignored("Copy", ".")}`, `3 ${ignored("Copy", "/")}`],
    { ignore: ["*"] },
  ],
  "comments are about what they stand above": [
    "# check=experimental=InvalidDefinitionDescription\n# bar it is\nARG foo=1\n# Base it is\nFROM scratch AS base\n# no name\nARG a=1 b=2\n# b two\nARG a=1 b=2\n# not this\n#\nARG c\n# any\nCOPY a b\n",
    [`3 ${comment("ARG", "foo")}`, `5 ${comment("FROM", "base")}`, `7 ${comment("ARG", "<arg_key>")}`],
  ],
  ports: [
    "FROM scratch\nEXPOSE 80/TcP 8080/udp 127.0.0.1:80:80 [::1]:8080:8080 5000:5000\n",
    [
      "2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase",
      `2 ${mapped("127.0.0.1:80:80")}`,
      `2 ${mapped("[::1]:8080:8080")}`,
      `2 ${mapped("5000:5000")}`,
    ],
  ],
  "rules that the file switches off": [
    "#check=skip=ConsistentInstructionCasing, FromAsCasing\nFROM scratch as a\ncopy a b\n",
    [],
  ],
  "the build's word goes before the file's": [
    "#check=skip=all\nFROM scratch as a\ncopy a b\n",
    [`2 ${clash("as", "FROM")}`],
    { args: { BUILDKIT_DOCKERFILE_CHECK: "skip=ConsistentInstructionCasing" } },
  ],
  "stages that are not needed are not looked into": ["FROM scratch AS a\nENV one two\nCOPY $x .\nFROM scratch\n", []],
  "but they are when all are wanted": [
    "FROM scratch AS a\nCOPY $x .\nFROM scratch\n",
    [`2 ${undefined_("x")}`],
    { allStages: true },
  ],
  "triggers are about the stage on top": [
    "FROM scratch AS a\nONBUILD ENV token=1\nFROM a\nCOPY $token .\n",
    [`3 ${secret("ENV", "token")}`],
  ],
};

test("rules say what BuildKit's say", async (t) => {
  for (const [name, [file, wanted, options]] of Object.entries(CASES)) {
    await t.test(name, async () => assert.deepEqual((await look(file, options)).findings, wanted));
  }
  const seen = new Set(Object.values(CASES).flatMap(([, found]) => found.map((line) => line.split(/[ :]/)[1])));
  // That one is about an image, not the file.
  assert.deepEqual(
    [...RULE_NAMES].filter((name) => !seen.has(name)),
    ["InvalidBaseImagePlatform"],
  );
});

test("an image that is here for another platform is told", async () => {
  const file = await parseContainerfile(Buffer.from("FROM busybox\n"), { name: "Dockerfile" });
  const findings = new Findings(parseCheckOptions(""));
  await checkContainerfile(
    {
      ...{ file, target: undefined, args: {}, allStages: false, platform: hostPlatform() },
      ignore: () => Promise.resolve([]),
      isContext: () => false,
      baseOf: () => Promise.resolve({ ...NOTHING, platform: "linux/riscv64" }),
    },
    findings,
  );
  assert.match(
    findings.all[0]?.message ?? "",
    /^Base image busybox was pulled with platform "linux\/riscv64", expected "linux\//,
  );
});

test("options are read, and wrong ones named", () => {
  const read = parseCheckOptions(" skip=A, B;error=true;experimental=all ");
  assert.deepEqual(read, { skip: new Set(["A", "B"]), experimental: "all", error: true });
  for (const wrong of ["skip", "foo=bar", "error=maybe", "skip=A;;"])
    assert.throws(() => parseCheckOptions(wrong), { code: "InvalidArgument" }, wrong);
  assert.equal(ruleUrl("JSONArgsRecommended"), "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
  assert.equal(ruleUrl("InvalidBaseImagePlatform"), undefined);
});

const DESCRIBED = `# base the base
ARG V=1
# W the other
ARG W=\${V}x
ARG unused=2
FROM busybox:$W AS base
RUN --mount=type=secret,id=s,required=true --mount=type=ssh true
# this stage is ours
FROM base AS this
# own an argument
ARG own=$W
ARG unknown
# final what is built
FROM --platform=$BUILDPLATFORM scratch AS final
RUN --mount=type=secret,target=/run/secrets/other --mount=type=bind,from=this,target=/t true
`;

test("targets and what they can be given are listed", async () => {
  const { file, checked } = await look(DESCRIBED);
  assert.equal(
    targetsResult(file).text,
    "TARGET          DESCRIPTION\nbase            \nthis            stage is ours\nfinal (default) what is built\n",
  );
  const { text, json: document } = outlineResult(file, checked);
  assert.equal(
    text,
    `TARGET:      final
DESCRIPTION: what is built

BUILD ARG   VALUE   DESCRIPTION
V           1       
W           1x      the other
own                 an argument
unknown             

SECRET   REQUIRED
s        true
other    

SSH       REQUIRED
default   

`,
  );
  const outline = JSON.parse(document) as { readonly args: readonly object[]; readonly secrets: readonly object[] };
  const at = (line: number) => ({ ranges: [{ start: { line }, end: { line } }] });
  assert.deepEqual(outline.args[1], { name: "W", description: "the other", value: "1x", location: at(4) });
  assert.deepEqual(outline.secrets, [
    { name: "s", required: true, location: at(7) },
    { name: "other", location: at(15) },
  ]);
});

test("lines are shown with those around them", () => {
  const lines = ["a", "b", "c", "d", "e", "f", ""];
  const shown = showSource(lines, { file: "F", lines: [3, 3] });
  const rule = "-".repeat(20);
  assert.equal(shown, `F:3\n${rule}\n   1 |     a\n   2 |     b\n   3 | >>> c\n   4 |     d\n   5 |     e\n${rule}\n`);
  assert.equal(showSource(lines, { file: "F", lines: [9, 9] }), "");
  assert.equal(
    columns(
      [
        ["a", "bb", "c"],
        ["long", "x", ""],
      ],
      1,
    ),
    "a    bb c\nlong x  \n",
  );
});

const WORDS = [
  "FROM",
  "from",
  "scratch",
  "AS",
  "ARG",
  "ENV",
  "COPY",
  "CMD",
  "$A",
  "${A:-$B}",
  "a=$b",
  "'",
  "[",
  '"x"',
  "#",
  "\\",
  "<<E",
  "80:80",
];

test("whatever is in a file, looking at it ends, with findings or the parser's error", async () => {
  const line = fc.array(fc.constantFrom(...WORDS), { maxLength: 5 }).map((words) => words.join(" "));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
      try {
        await look(`FROM busybox AS x\n${lines.join("\n")}\n`);
      } catch (error) {
        assert.equal((error as { readonly name?: string }).name, "ContainerfileError", String(error));
      }
    }),
    { numRuns: 200 },
  );
});
