import type { IncomingMessage } from "node:http";

export type Action = "pull" | "push" | "delete";

/** A token and how long it is good for. */
export interface IssuedToken {
  readonly token: string;
  readonly access_token: string;
  /** Seconds. */
  readonly expires_in: number;
  /** RFC 3339. */
  readonly issued_at: string;
  /** What is granted of what was asked for; only by `POST`. */
  readonly scope?: string;
  /** Good for further tokens; only where it was asked for. */
  readonly refresh_token?: string;
}

/** Who may do what. */
export interface Access {
  /**
   * @param repository empty: the registry itself, such as its catalogue
   * @returns the name of who asks; empty where nobody has one
   * @throws PermissionDenied; with the subject `credentials` where other credentials could help
   */
  check(request: IncomingMessage, action: Action, repository: string): Promise<string>;
  /** Which repositories whoever asks may pull from: what lists show. @throws PermissionDenied as {@link check} */
  visible(request: IncomingMessage): Promise<(repository: string) => boolean>;
  /** `WWW-Authenticate` of a refusal. */
  challenge(request: IncomingMessage, action: Action, repository: string): string | undefined;
  /**
   * `GET /token`: for credentials, or none, a token that carries what its owner may do of what is asked for
   * (distribution's token authentication).
   *
   * @param offline whether a refresh token is asked for, too
   * @throws PermissionDenied for wrong credentials
   */
  issueToken?(request: IncomingMessage, scopes: readonly string[], offline: boolean): Promise<IssuedToken>;
  /**
   * `POST /token`: the same by OAuth 2, for a password or a refresh token in a form.
   *
   * @throws PermissionDenied for wrong credentials, InvalidArgument for a form that is none
   */
  exchangeToken?(form: URLSearchParams): Promise<IssuedToken>;
}

/** Everybody may do everything. */
export const openAccess: Access = {
  check: () => Promise.resolve(""),
  visible: () => Promise.resolve(() => true),
  challenge: () => undefined,
};
