import { MASTERS } from "../access/authorize.ts";
import type { User } from "../contract.ts";

/** Who empties namespaces: webhooks and policies see what it deletes, as that of anybody else. */
export const NAMESPACE_CONTROLLER: User = {
  name: "system:serviceaccount:kube-system:namespace-controller",
  groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated", MASTERS],
};

/** The server itself: nobody's webhook or policy holds it up. */
export const SYSTEM_USER: User = { name: "system:apiserver", groups: [MASTERS] };
