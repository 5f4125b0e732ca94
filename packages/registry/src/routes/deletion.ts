import { Unsupported } from "@boxship/base";
import type { Call } from "../http/call.ts";

/** @throws Unsupported where nothing is to be deleted */
export function refuseWithoutDeletion({ deletion }: Call): void {
  if (deletion) return;
  throw new Unsupported("this registry does not delete anything", { remedy: "start it with deletion allowed" });
}
