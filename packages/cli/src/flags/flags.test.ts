import { deepEqual, equal, match, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FlagError } from "../failure.ts";
import { bool, commaList, filter, integer, keyValues, list, text } from "./flag.ts";
import { describeFlags } from "./help.ts";
import { HelpRequested, parseFlags } from "./parse-flags.ts";

const flags = {
  interactive: bool("keep stdin", { short: "i" }),
  tty: bool("terminal", { short: "t" }),
  on: bool("on by default", { initial: true }),
  publish: list("ports", { short: "p" }),
  name: text("name"),
  last: integer("count", { short: "n", initial: -1 }),
  opt: keyValues("options", { short: "o" }),
  many: commaList("several"),
  filter: filter(),
  secret: text("not shown", { hidden: true }),
};

const parse = (line: string, interspersed = true) =>
  parseFlags(flags, line === "" ? [] : line.split(" "), { interspersed });

test("every spelling that Docker's clients take", () => {
  deepEqual(parse("-it").values, { ...parse("").values, interactive: true, tty: true });
  deepEqual(parse("-p8080:80 -p 1 -p=2 --publish 3 --publish=4").values.publish, ["8080:80", "1", "2", "3", "4"]);
  deepEqual(parse("-itp 80").values.publish, ["80"]);
  deepEqual(parse("-itp80").values.publish, ["80"]);
  equal(parse("--on=false").values.on, false);
  equal(parse("-i=false").values.interactive, false);
  equal(parse("--name=").values.name, "");
  equal(parse("-n -5").values.last, -5);
  deepEqual(parse("-o a=b -o c -o a=d=e").values.opt, { a: "d=e", c: "" });
  deepEqual(parse("--many a,b --many c").values.many, ["a", "b", "c"]);
  deepEqual(parse("-f A=1 -f a=2 --filter b=c=d").values.filter, { a: ["1", "2"], b: ["c=d"] });
  deepEqual([...parse("-it --name x").changed].sort(), ["interactive", "name", "tty"]);
});

test("where flags end", () => {
  deepEqual(parse("a -i b -- -t").operands, ["a", "b", "-t"]);
  deepEqual(parse("a -i b", false).operands, ["a", "-i", "b"]);
  deepEqual(parse("-i -- a -t", false).operands, ["a", "-t"]);
  deepEqual(parse("- a").operands, ["-", "a"]);
});

test("what is wrong is said in the words that users know", () => {
  const cases: readonly [line: string, message: string][] = [
    ["--nope", "unknown flag: --nope"],
    ["--nope=1", "unknown flag: --nope"],
    ["-x", "unknown shorthand flag: 'x' in -x"],
    ["-ixt", "unknown shorthand flag: 'x' in -xt"],
    ["--name", "flag needs an argument: --name"],
    ["-ip", "flag needs an argument: 'p' in -p"],
    ["--=x", "bad flag syntax: --=x"],
    ["---x", "bad flag syntax: ---x"],
    ["-n x", 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
    [
      "--tty=maybe",
      'invalid argument "maybe" for "-t, --tty" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    ["-f x", 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)'],
    ["--constructor", "unknown flag: --constructor"],
  ];
  for (const [line, message] of cases) throws(() => parse(line), { message });
  throws(() => parse("--help"), HelpRequested);
  throws(() => parse("-ih"), HelpRequested);
});

test("no command line crashes the parser", () => {
  const word = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom("-it", "--name", "--name=x", "--", "-", "-p", "-n", "5", "--on", "--on=false", "-o", "a=b"),
  );
  fc.assert(
    fc.property(fc.array(word), fc.boolean(), (args, interspersed) => {
      try {
        const { operands, values } = parseFlags(flags, args, { interspersed });
        equal(
          operands.every((operand) => args.includes(operand)),
          true,
        );
        equal(typeof values.name, "string");
      } catch (error) {
        if (!(error instanceof FlagError) && !(error instanceof HelpRequested)) throw error;
      }
    }),
  );
});

test("help lists flags in order, wrapped, without the hidden ones", () => {
  const help = describeFlags(flags, 60);
  match(help, /^ {2}-f, --filter filter {2,}Filter output based on conditions\n {10,}provided\n/);
  match(help, / {6}--on {2,}on by default \(default true\)/);
  match(help, /-n, --last int {2,}count \(default -1\)/);
  equal(help.includes("secret"), false);
});
