import { builtinKinds, type Schema } from "@boxship/api";
import type { Mapping } from "../resource/discovery.ts";

/** How lists of a built-in kind are merged; undefined for custom kinds, whose lists are taken whole. */
export function patchSchema({ group, version, kind }: Pick<Mapping, "group" | "version" | "kind">): Schema | undefined {
  return builtinKinds().find((one) => one.group === group && one.version === version && one.kind === kind)?.schema;
}
