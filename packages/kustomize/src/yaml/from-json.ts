import { isBigInteger, isObject, type Json } from "@boxship/api";
import { numberText } from "@boxship/api/go-json";
import { BOOL, FLOAT, guardStyle, INT, Node, NULL, STR } from "./node.ts";

/** A value as a tree whose texts are what Go writes of it. */
export function fromJson(value: Json | undefined): Node {
  if (Array.isArray(value)) return Node.sequence(value.map((item) => fromJson(item)));
  if (isObject(value)) {
    const fields = Object.keys(value).filter((field) => value[field] !== undefined);
    return Node.mapping(fields.map((field) => [field, fromJson(value[field])]));
  }
  if (typeof value === "string") {
    const node = Node.scalar(value, STR);
    guardStyle(node);
    return node;
  }
  if (typeof value === "boolean") return Node.scalar(String(value), BOOL);
  if (value === null || value === undefined) return Node.scalar("null", NULL);
  return number(isBigInteger(value) ? Number(value.value) : value);
}

function number(value: number): Node {
  return Node.scalar(numberText(value), Number.isInteger(value) ? INT : FLOAT);
}
