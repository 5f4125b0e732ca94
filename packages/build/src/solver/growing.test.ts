import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ownCopy, variableIn, withEntry, withFields, withValues, withVariable } from "./growing.ts";

const names = fc.constantFrom("a", "b", "c", "__proto__", "constructor", "0");
const step = fc.record({ name: names, value: fc.nat({ max: 9 }) });
const steps = fc.array(step, { maxLength: 12 });

interface State {
  readonly history: readonly number[];
  readonly args: ReadonlyMap<string, number>;
  readonly config: { readonly Labels?: Readonly<Record<string, number>>; readonly Env?: readonly string[] };
}

type Step = { readonly name: string; readonly value: number };

const grown = ({ history, args, config }: State, { name, value }: Step): State => ({
  history: withEntry(history, value),
  args: withValues(args, [[name, value]]),
  config: { Labels: withFields(config.Labels, [[name, value]]), Env: withVariable(config.Env, name, `${value}`) },
});

const copied = ({ history, args, config }: State, { name, value }: Step): State => ({
  history: [...history, value],
  args: new Map(args).set(name, value),
  config: {
    Labels: { ...config.Labels, ...Object.fromEntries([[name, value]]) },
    Env: [...new Map(config.Env?.map((entry) => entry.split("=", 2) as [string, string])).set(name, `${value}`)].map(
      (pair) => pair.join("="),
    ),
  },
});

const shown = ({ history, args, config: { Labels = {}, Env = [] } }: State) => [
  history,
  [...args],
  Object.entries(Labels),
  Env,
  ["a", "c", "z", "none"].map((one) => variableIn(Env, one)),
];

test("what grows in place is what copies are, in order, and stages that begin with one another do not meet", () => {
  fc.assert(
    fc.property(steps, steps, steps, (first, second, third) => {
      const image: State = {
        history: [7],
        args: new Map([["z", 1]]),
        config: { Labels: { a: 5, z: 6 }, Env: ["z=1"] },
      };
      const untouched = structuredClone(image);
      const base = first.reduce(grown, image);
      const wanted = first.reduce(copied, image);
      // Two stages on the same one, in turns.
      const begin = (): State => ownCopy({ ...base, args: new Map() });
      let [one, two] = [begin(), begin()];
      for (let index = 0; index < Math.max(second.length, third.length); index++) {
        const [next, other] = [second[index], third[index]];
        if (next !== undefined) one = grown(one, next);
        if (other !== undefined) two = grown(two, other);
      }
      const begun: State = { ...wanted, args: new Map() };
      assert.deepEqual(shown(one), shown(second.reduce(copied, begun)));
      assert.deepEqual(shown(two), shown(third.reduce(copied, begun)));
      assert.deepEqual(shown(base), shown(wanted));
      assert.deepEqual(image, untouched);
    }),
  );
});

test("an image's variables that stand there twice are set twice, and the last one counts", () => {
  const twice = withVariable(["a=1", "b", "a=2"], "c", "3");
  assert.deepEqual([variableIn(twice, "a"), variableIn(twice, "b"), variableIn(twice, "c")], ["2", "", "3"]);
  assert.deepEqual(withVariable(twice, "a", "4"), ["a=4", "b", "a=4", "c=3"]);
});
