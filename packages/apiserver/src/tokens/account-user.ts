import { AUTHENTICATED } from "../access/authenticate.ts";
import type { User } from "../contract.ts";

/** Whom a service account's token stands for. */
export function accountUser(
  namespace: string,
  name: string,
  uid: string,
  extra: Readonly<Record<string, readonly string[]>>,
): User {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, AUTHENTICATED],
    extra,
  };
}
