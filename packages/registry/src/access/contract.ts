import type { IncomingMessage } from "node:http";

export type Action = "pull" | "push" | "delete";

/** Who may do what. */
export interface Access {
  /**
   * @param repository empty: the registry itself, such as its catalogue
   * @throws PermissionDenied; with the subject `credentials` where other credentials could help
   */
  check(request: IncomingMessage, action: Action, repository: string): Promise<void>;
  /** `WWW-Authenticate` of a refusal. */
  challenge(action: Action, repository: string): string | undefined;
}

/** Everybody may do everything. */
export const openAccess: Access = {
  check: () => Promise.resolve(),
  challenge: () => undefined,
};
