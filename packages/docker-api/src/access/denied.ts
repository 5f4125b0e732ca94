import { PermissionDenied } from "@boxship/base";
import type { Role } from "./role.ts";

/** The refusal of something that a role does not allow. */
export function denied({ name, kind }: Role, what: string, remedy?: string): PermissionDenied {
  const details = { subject: { kind: "socket", name } };
  return new PermissionDenied(
    `the ${kind} socket ${name} does not allow ${what}`,
    remedy === undefined ? details : { ...details, remedy },
  );
}

/** A part of the engine's contract of which only `allowed` is there; every other method, known or new, is refused. */
export function only<T extends object>(role: Role, part: string, allowed: Partial<T>): T {
  return new Proxy(allowed, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      // A promise must not take it for one of its own.
      if (method !== undefined || typeof name === "symbol" || name === "then") return method;
      return () => Promise.reject(denied(role, `${part} ${name}`));
    },
  }) as T;
}
