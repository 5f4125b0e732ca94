import { createHash } from "node:crypto";
import { type Init, type ValueOf } from "@boxship/grpc";
import { Definition, Operation } from "../wire/common.ts";

/**
 * A client that uses one build's result in another passes it on as a graph of operations. Ours has one source that names
 * the result, and the head that such graphs end with. Nobody but us reads it.
 */
const SCHEME = "boxship-result://";

/** Which result of which build. */
export interface ResultReference {
  readonly build: string;
  readonly result: string;
}

/** A graph that stands for a result. */
export function resultDefinition({ build, result }: ResultReference): Init<ValueOf<typeof Definition>> {
  const source = Operation.encode({ source: { identifier: `${SCHEME}${build}/${result}` } });
  const digest = `sha256:${createHash("sha256").update(source).digest("hex")}`;
  const head = Operation.encode({ inputs: [{ digest, index: 0 }] });
  return { operations: [source, head], metadata: { [digest]: new Uint8Array(0) } };
}

/** The result that a graph stands for; undefined when it is a graph of someone else. */
export function referencedResult(definition: ValueOf<typeof Definition>): ResultReference | undefined {
  for (const bytes of definition.operations) {
    const { source } = Operation.decode(bytes);
    if (source === undefined || !source.identifier.startsWith(SCHEME)) continue;
    const [build = "", result = ""] = source.identifier.slice(SCHEME.length).split("/");
    return { build, result };
  }
  return undefined;
}
