import { isMessage, type Message, messageOf } from "../protobuf/messages.ts";

const fields = new Map<string, ReadonlySet<string>>();

/**
 * Whether Go has a plain value at a field of a built-in definition, and no pointer: a zero there is what is not set, and
 * is not written where the field is not required.
 */
export function isPlain(definition: string, field: string): boolean {
  let plain = fields.get(definition);
  if (plain === undefined) {
    plain = new Set(isMessage(definition) ? plainFields(messageOf(definition)) : []);
    fields.set(definition, plain);
  }
  return plain.has(field);
}

function plainFields({ reversed }: Message): readonly string[] {
  return reversed.flatMap(({ name, kind, optional, message }) => {
    if (name === "*") return plainFields(messageOf(message ?? ""));
    return kind === "one" && message === undefined && !optional ? [name] : [];
  });
}
