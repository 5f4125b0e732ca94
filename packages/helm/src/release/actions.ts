import { errorMessage, FailedPrecondition, InvalidArgument, NotFound } from "@boxship/base/errors";
import type { Session } from "@boxship/kubectl/cluster";
import type { Chart } from "../chart/chart.ts";
import type { Dict } from "../functions/go-values.ts";
import type { HookEvent } from "../manifest/manifest.ts";
import {
  isPending,
  plainJson,
  type Release,
  type Status,
  type StoredHook,
  storedChart,
  storedHook,
} from "./release.ts";
import { manifestText, type RenderedChart } from "./render-chart.ts";
import {
  type ApplyOptions,
  applyResources,
  checkOwnership,
  deleteResources,
  type Owner,
  type Resource,
  resourcesOf,
  without,
} from "./resources.ts";
import { runHooks } from "./run-hooks.ts";
import type { ReleaseStorage } from "./storage.ts";
import { readinessWait } from "./wait.ts";

export interface ActionOptions extends Omit<ApplyOptions, "serverSide"> {
  /** Whether the server merges. @default as for the revision before, and the client for the first */
  readonly serverSide: boolean | undefined;
  /** Milliseconds for each hook, and for waiting. */
  readonly timeout: number;
  readonly wait: boolean;
  readonly waitForJobs: boolean;
  readonly noHooks: boolean;
  /** Whether a failed upgrade or rollback deletes what it has made. @default false */
  readonly cleanupOnFail?: boolean;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Revisions that are kept; 0 for all. */
  readonly historyMax: number;
  /** Told of what goes on. */
  readonly say: (text: string) => void;
}

/** What the steps of all actions share. */
export interface Action {
  readonly session: Session;
  readonly storage: ReleaseStorage;
  readonly owner: Owner;
  readonly options: ActionOptions;
}

/** What a new revision is made of. */
export interface Content {
  readonly chart: Release["chart"];
  readonly config: Release["config"];
  readonly manifest: string;
  readonly hooks: readonly StoredHook[];
  readonly notes: string;
}

export function contentOf(chart: Chart, values: Dict, rendered: RenderedChart): Content {
  return {
    chart: storedChart(chart),
    config: plainJson(values),
    manifest: manifestText(rendered.manifests),
    hooks: rendered.hooks.map(storedHook),
    notes: rendered.notes,
  };
}

const now = (): string => new Date().toISOString();

export interface Revision {
  readonly version: number;
  readonly status: Status;
  /** When the first one was made. */
  readonly first: string;
  readonly serverSide: boolean;
}

export function newRelease(owner: Owner, content: Content, { version, status, first, serverSide }: Revision): Release {
  return {
    name: owner.name,
    namespace: owner.namespace,
    version,
    apply_method: serverSide ? "ssa" : "csa",
    info: { first_deployed: first, last_deployed: now(), deleted: "", description: "", status, notes: content.notes },
    chart: content.chart,
    config: content.config,
    manifest: content.manifest,
    hooks: content.hooks,
  };
}

async function hooks(action: Action, release: Release, event: HookEvent): Promise<void> {
  const { session, owner, options } = action;
  if (options.noHooks) return;
  await runHooks(session, release.hooks, event, owner, { timeout: options.timeout, validate: options.validate });
}

/**
 * Revisions that a command left when it died are marked as failed: what they made is known by their manifests, and the
 * next revision takes it over.
 */
export async function settleInterrupted({ storage, owner, options }: Action): Promise<readonly Release[]> {
  const all = await storage.list(owner.name);
  for (const release of all) {
    const { status } = release.info;
    if (!isPending(release)) continue;
    options.say(
      `release ${owner.name}: revision ${release.version} was interrupted while ${status}; it is marked as failed, and what it made is taken over`,
    );
    release.info.status = "failed";
    release.info.description = `Interrupted while ${status}`;
    await storage.update(release);
  }
  return all;
}

/** The revision that is in the cluster: the last one deployed, or where there is none the last of all. */
export function currentOf(history: readonly Release[]): Release | undefined {
  return history.findLast(({ info }) => info.status === "deployed") ?? history.at(-1);
}

/**
 * Objects that the release has made so far: those of the current revision, and of failed ones behind it.
 */
async function madeBy({ session, owner }: Action, history: readonly Release[]): Promise<readonly Resource[]> {
  const current = currentOf(history);
  const made: Resource[] = [];
  for (const release of history) {
    if (current === undefined || release.version < current.version || release.info.status === "uninstalled") continue;
    const found = await resourcesOf(session, release.manifest, owner, () => undefined);
    made.push(...without(found, made));
  }
  return made;
}

async function finish({ storage }: Action, release: Release, status: Status, description: string): Promise<void> {
  release.info.status = status;
  release.info.description = description;
  await storage.update(release);
}

interface Steps {
  readonly pending: Status;
  readonly before: HookEvent;
  readonly after: HookEvent;
  readonly done: string;
  readonly failed: string;
}

const INSTALL: Steps = {
  pending: "pending-install",
  before: "pre-install",
  after: "post-install",
  done: "Install complete",
  failed: "Release",
};
const UPGRADE: Steps = {
  pending: "pending-upgrade",
  before: "pre-upgrade",
  after: "post-upgrade",
  done: "Upgrade complete",
  failed: "Upgrade",
};

/** Installs or upgrades: writes the new revision, runs hooks, brings the objects, and marks what came out of it. */
export async function deploy(action: Action, content: Content, history: readonly Release[]): Promise<Release> {
  const isUpgrade = history.some(
    ({ info }) => info.status === "deployed" || info.status === "failed" || info.status === "superseded",
  );
  return await advance(action, content, history, isUpgrade ? UPGRADE : INSTALL);
}

async function advance(action: Action, content: Content, history: readonly Release[], steps: Steps): Promise<Release> {
  const { session, storage, owner, options } = action;
  const last = history.at(-1);
  const wanted = await resourcesOf(session, content.manifest, owner);
  const made = await madeBy(action, history);
  if (!options.takeOwnership) await checkOwnership(session, wanted, made, owner);
  const first = history.find(({ info }) => info.status !== "uninstalled")?.info.first_deployed ?? now();
  const serverSide = options.serverSide ?? last?.apply_method === "ssa";
  if (serverSide && options.forceReplace === true) {
    throw new InvalidArgument("invalid operation: cannot use server-side apply and force replace together");
  }
  const version = (last?.version ?? 0) + 1;
  const release = newRelease(action.owner, content, { version, status: steps.pending, first, serverSide });
  await storage.create(release, mergedLabels(last === undefined ? {} : await storage.labelsOf(last), options.labels));
  const created: Resource[] = [];
  try {
    await hooks(action, release, steps.before);
    await applyResources(session, wanted, made, { ...options, serverSide }, (one) => void created.push(one));
    await deleteResources(session, without(made, wanted));
    await readinessWait(session, wanted, options);
    await hooks(action, release, steps.after);
  } catch (error) {
    await finish(
      action,
      release,
      "failed",
      `${steps.failed} ${JSON.stringify(owner.name)} failed: ${errorMessage(error)}`,
    );
    if (options.cleanupOnFail === true && steps !== INSTALL) {
      options.say(`${steps.failed} ${owner.name} failed: deleting the ${created.length} objects that it has made`);
      await deleteResources(session, created);
    }
    throw error;
  }
  await supersede(action, history);
  await finish(action, release, "deployed", options.description || steps.done);
  await prune(action, release);
  return release;
}

/** Labels of the revision before hold; one that is to be `null` goes. */
function mergedLabels(
  before: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([, value]) => value !== "null"));
}

async function supersede({ storage }: Action, history: readonly Release[]): Promise<void> {
  for (const one of history) {
    if (one.info.status !== "deployed") continue;
    one.info.status = "superseded";
    await storage.update(one);
  }
}

/** Old revisions go, but not the one that is deployed. */
async function prune({ storage, owner, options }: Action, { version }: Release): Promise<void> {
  if (options.historyMax === 0) return;
  const all = (await storage.list(owner.name)).filter(
    (one) => one.version !== version && one.info.status !== "deployed",
  );
  const many = all.length + 1 - options.historyMax;
  for (const one of all.slice(0, Math.max(0, many))) await storage.delete(one);
}

/** @param version 0 for the one before the current */
export async function rollback(action: Action, version: number): Promise<Release> {
  const { owner, options } = action;
  const history = await settleInterrupted(action);
  const last = history.at(-1);
  if (last === undefined) throw new NotFound(`release: not found: ${owner.name}`);
  const wanted =
    version === 0
      ? history.findLast((one) => one.version < last.version && ["deployed", "superseded"].includes(one.info.status))
      : history.find((one) => one.version === version);
  if (wanted === undefined) {
    throw new NotFound(
      `release ${owner.name} has no ${version === 0 ? "earlier revision that was deployed" : `revision ${version}`}`,
    );
  }
  const { chart, config, manifest, hooks: stored, info } = wanted;
  const content = { chart, config, manifest, hooks: stored, notes: info.notes };
  return await advance(
    { ...action, options: { ...options, description: options.description || `Rollback to ${wanted.version}` } },
    content,
    history,
    {
      pending: "pending-rollback",
      before: "pre-rollback",
      after: "post-rollback",
      done: `Rollback to ${wanted.version}`,
      failed: "Rollback",
    },
  );
}

export interface UninstallOptions {
  readonly keepHistory: boolean;
  readonly cascade: string;
}

/** @returns what was told to stay */
export async function uninstall(
  action: Action,
  { keepHistory, cascade }: UninstallOptions,
): Promise<readonly Resource[]> {
  const { session, storage, owner, options } = action;
  const history = await storage.list(owner.name);
  const release = history.at(-1);
  if (release === undefined) throw new NotFound(`uninstall: Release not loaded: ${owner.name}: release: not found`);
  if (release.info.status === "uninstalled") {
    if (keepHistory) throw new FailedPrecondition(`the release named ${JSON.stringify(owner.name)} is already deleted`);
    for (const one of history) await storage.delete(one);
    return [];
  }
  const made = await madeBy(action, history);
  release.info.deleted = now();
  await finish(action, release, "uninstalling", "Deletion in progress (or silently failed)");
  await hooks(action, release, "pre-delete");
  await supersede(
    action,
    history.filter((one) => one !== release),
  );
  const { deleted, kept } = await deleteResources(session, made, cascade);
  if (options.wait) {
    const { waitUntilGone } = await import("@boxship/kubectl/cluster");
    await waitUntilGone(session, deleted, options.timeout);
  }
  await hooks(action, release, "post-delete");
  if (keepHistory) await finish(action, release, "uninstalled", options.description || "Uninstallation complete");
  else for (const one of history) await storage.delete(one);
  return kept;
}
