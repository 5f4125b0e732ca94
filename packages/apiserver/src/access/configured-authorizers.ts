import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type Clock, errorMessage, InvalidArgument, type Logger, type Timer } from "@boxship/base";
import { readKubeconfig } from "../authentication/read-kubeconfig.ts";
import type { Attributes, Authorizer, Decision, User, UserRules } from "../contract.ts";
import { type ConfiguredAuthorizer, parseAuthorizationFile } from "./authorization-file.ts";
import { ALL_RULES, firstOpinion } from "./authorize.ts";
import { WebhookAuthorizer } from "./webhook-authorizer.ts";

/** Files that others put in place are not always told of. */
const LOOK_MS = 60_000;
/** A file that is written is looked at when nothing has happened to it for so long. */
const SETTLE_MS = 100;
/** What somebody is still being asked is answered: longer than any timeout. */
const LAST_ANSWERS_MS = 35_000;

export interface ConfiguredAuthorizersOptions {
  /** An `AuthorizationConfiguration`. */
  readonly path: string;
  /** Those that decide by what is kept here. */
  readonly own: { readonly Node: Authorizer; readonly RBAC: Authorizer };
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Chain extends Disposable {
  readonly text: string;
  readonly types: string;
  readonly authorizers: readonly Authorizer[];
}

/**
 * Those that a file names decide, in its order. The file may change: what is wrong, or has other types than at the start
 * besides webhooks, is logged, and those from before go on.
 */
export class ConfiguredAuthorizers implements Authorizer, AsyncDisposable {
  readonly #options: ConfiguredAuthorizersOptions;
  #chain: Chain;
  readonly #watcher: FSWatcher;
  #looking: Timer | undefined;
  #reading: Promise<void> = Promise.resolve();
  readonly #ending = new Map<Chain, Timer>();
  #refused = "";
  #disposed = false;

  private constructor(options: ConfiguredAuthorizersOptions, chain: Chain) {
    this.#options = options;
    this.#chain = chain;
    // The directory, as files are put in place of others.
    this.#watcher = watch(dirname(options.path), () => this.#later(SETTLE_MS));
    this.#watcher.on("error", (error) =>
      options.logger.warn("the authorization configuration is not watched", { error }),
    );
    this.#later(LOOK_MS);
  }

  /** @throws InvalidArgument, Unsupported for a file that cannot be used */
  static async open(options: ConfiguredAuthorizersOptions): Promise<ConfiguredAuthorizers> {
    return new ConfiguredAuthorizers(options, await readChain(options));
  }

  authorize(attributes: Attributes): Decision | Promise<Decision> {
    return firstOpinion(this.#chain.authorizers, attributes);
  }

  async rulesFor(user: User, namespace: string): Promise<UserRules> {
    const all = await Promise.all(this.#chain.authorizers.map(async (one) => await one.rulesFor?.(user, namespace)));
    return {
      resourceRules: all.flatMap((rules) => rules?.resourceRules ?? []),
      nonResourceRules: all.flatMap((rules) => rules?.nonResourceRules ?? []),
    };
  }

  #later(milliseconds: number): void {
    if (this.#disposed) return;
    this.#looking?.[Symbol.dispose]();
    this.#looking = this.#options.clock.setTimeout(milliseconds, () => {
      this.#reading = this.#reading.then(() => this.#look()).finally(() => this.#later(LOOK_MS));
    });
  }

  async #look(): Promise<void> {
    const { clock, logger, path } = this.#options;
    const before = this.#chain;
    let next: Chain | undefined;
    try {
      next = await readChain(this.#options, before.text);
      if (next === undefined) return;
      if (next.types !== before.types)
        throw new InvalidArgument(`the types of authorizers but webhooks must stay as they were: ${before.types}`);
      if (this.#disposed) return next[Symbol.dispose]();
    } catch (error) {
      next?.[Symbol.dispose]();
      const why = errorMessage(error);
      if (why !== this.#refused) logger.error("the authorization configuration is not taken", { path, error: why });
      this.#refused = why;
      return;
    }
    this.#refused = "";
    this.#chain = next;
    logger.info("the authorization configuration is another one now", { path });
    const end = (): void => {
      this.#ending.delete(before);
      before[Symbol.dispose]();
    };
    this.#ending.set(before, clock.setTimeout(LAST_ANSWERS_MS, end));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#watcher.close();
    this.#looking?.[Symbol.dispose]();
    await this.#reading;
    for (const [chain, timer] of this.#ending) {
      timer[Symbol.dispose]();
      chain[Symbol.dispose]();
    }
    this.#chain[Symbol.dispose]();
  }
}

async function readChain(options: ConfiguredAuthorizersOptions): Promise<Chain>;
/** @returns undefined for what is as it was */
async function readChain(options: ConfiguredAuthorizersOptions, before: string): Promise<Chain | undefined>;
async function readChain(options: ConfiguredAuthorizersOptions, before?: string): Promise<Chain | undefined> {
  const { path } = options;
  const file = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new InvalidArgument(`the authorization configuration ${path} cannot be read: ${errorMessage(cause)}`, {
      cause,
    });
  });
  const configured = await parseAuthorizationFile(file);
  // A kubeconfig may change as well.
  const servers = await Promise.all(
    configured.map(async (one) => (one.type === "Webhook" ? await readKubeconfig(one.webhook.kubeconfig) : undefined)),
  );
  const text = JSON.stringify([file, servers]);
  if (text === before) return undefined;
  using stack = new DisposableStack();
  const authorizers = configured.map((one, index) => {
    const server = servers[index];
    if (one.type !== "Webhook" || server === undefined) return ownAuthorizer(one, options);
    return stack.use(new WebhookAuthorizer(server, options.clock, options.logger, one.webhook));
  });
  const types = configured.map(({ type }) => type).filter((type) => type !== "Webhook");
  const owned = stack.move();
  return { text, types: types.sort().join(", "), authorizers, [Symbol.dispose]: () => owned.dispose() };
}

function ownAuthorizer({ type }: ConfiguredAuthorizer, { own }: ConfiguredAuthorizersOptions): Authorizer {
  switch (type) {
    case "Node":
    case "RBAC":
      return own[type];
    case "AlwaysAllow":
      return { authorize: () => ({ verdict: "allow" }), rulesFor: () => ALL_RULES };
    default:
      return { authorize: () => ({ verdict: "no-opinion", reason: "Everything is forbidden." }) };
  }
}
