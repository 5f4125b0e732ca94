import { MASTERS } from "../access/authorize.ts";
import type { User } from "../contract.ts";

/** The server itself. */
export const SYSTEM_USER: User = { name: "system:apiserver", groups: [MASTERS] };
