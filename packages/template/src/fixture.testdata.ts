import type { TemplateFunction } from "./template.ts";
import {
  anyType,
  boolType,
  bytesType,
  float64Type,
  intType,
  pointerTo,
  stringMapType,
  stringSliceType,
  stringType,
  structOf,
  uint16Type,
} from "./types.ts";
import { typed, type Value } from "./value.ts";

/** The typed data and the functions that the golden cases were made with. */

const inner = structOf("main.Inner", [
  { name: "Name", type: stringType },
  { name: "Port", type: uint16Type },
  { name: "On", type: boolType },
]);

interface RawState {
  readonly Status: string;
}

const state = structOf(
  "main.State",
  [
    { name: "Status", type: stringType },
    { name: "Pid", type: intType },
    { name: "Ratio", type: float64Type },
    { name: "Inner", type: inner },
    { name: "Ptr", type: pointerTo(inner) },
    { name: "Labels", type: stringMapType },
    { name: "List", type: stringSliceType },
    { name: "Any", type: anyType },
    { name: "Bytes", type: bytesType },
  ],
  {
    methods: {
      Greet: {
        params: [stringType, intType],
        call: (_state: RawState, name: string, times: bigint) => `hi ${name}`.repeat(Number(times)),
      },
      Plain: { params: [], call: ({ Status }: RawState) => `plain ${Status}` },
    },
  },
);

export function fixture(): Value {
  return typed(pointerTo(state), {
    Status: "up",
    Pid: 12n,
    Ratio: 1.5,
    Inner: { Name: "a", Port: 80, On: true },
    Ptr: null,
    Labels: { b: "2", a: "1" },
    List: ["x", "y"],
    Any: null,
    Bytes: Buffer.from("hi"),
  });
}

const upper = { params: [stringType], call: (text: string) => text.toUpperCase() };

export const functions: Readonly<Record<string, TemplateFunction>> = {
  upper,
  join: {
    params: [stringSliceType, stringType],
    call: (list: Value, separator: string) => (list.raw as string[]).join(separator),
  },
  repeat: { params: [stringType, intType], call: (text: string, times: bigint) => text.repeat(Number(times)) },
  add: { params: [intType, intType], call: (a: bigint, b: bigint) => a + b },
  fail: {
    params: [stringType],
    call: (message: string) => {
      throw new Error(message);
    },
  },
  list: (...items: unknown[]) => items,
  id: { params: [anyType], call: (value: unknown) => value },
  fn: { params: [], call: () => upper },
  half: { params: [float64Type], call: (value: number) => value / 2 },
};
