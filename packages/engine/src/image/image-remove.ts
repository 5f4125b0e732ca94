import { Conflict, NotFound } from "@boxship/base";
import {
  chainIds,
  familiarReference,
  type ImageRecord,
  parseImageArgument,
  type Reference,
  withDefaultTag,
} from "@boxship/oci";
import type { ContainerRecord } from "../container/record.ts";
import { isAlive } from "../container/state.ts";
import type { EngineContext } from "../context.ts";

export type Removal = { readonly untagged: string } | { readonly deleted: string };

/**
 * `rmi`. By name: the name goes, and the image with its last name. By id: all of its names go, of more than one only
 * with `force`. An image that a running container needs stays in any case, one that a stopped container needs without
 * `force`.
 */
export async function removeImage(
  context: EngineContext,
  text: string,
  { force = false }: { readonly force?: boolean } = {},
): Promise<readonly Removal[]> {
  const { store } = context.images;
  const record = store.resolve(text);
  const named = nameMeant(record, text);
  const names = namesOf(record);
  if (named !== undefined && names.filter((name) => name.digest === undefined).length > 1) {
    return untagOne(context, record, named);
  }
  const users = context.containers.all().filter(({ imageId }) => imageId === record.id);
  if (named !== undefined) refuseByName(text, record, users, force);
  else refuseById(record, users, force);
  if (context.pins.has(record.id)) {
    throw conflict(record.id, `delete ${short(record.id)} (cannot be forced) - a container is being made from it`);
  }
  if (users.length > 0) return untagAll(context, record, names);
  return deleteImage(context, record, names);
}

function conflict(name: string, why: string, remedy?: string): Conflict {
  return new Conflict(`conflict: unable to ${why}`, {
    subject: { kind: "image", name },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function short(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

/** The name that the user typed, or undefined when it was an id. */
function nameMeant(record: ImageRecord, text: string): Reference | undefined {
  const argument = parseImageArgument(text);
  if (argument.kind === "id") return undefined;
  const typed = familiarReference(withDefaultTag(argument.reference));
  const all = namesOf(record);
  const found = all.find((name) => familiarReference(name) === typed);
  if (found !== undefined) return found;
  // Found by the digest in it, or it was the beginning of an id.
  return argument.reference.digest === undefined ? undefined : argument.reference;
}

/** Tags and digests alike. */
function namesOf(record: ImageRecord): readonly Reference[] {
  return [...record.tags, ...record.repoDigests.map((text) => parseDigestName(text))];
}

function parseDigestName(text: string): Reference {
  const argument = parseImageArgument(text);
  if (argument.kind === "id") throw new NotFound(`No such image: ${text}`);
  return argument.reference;
}

function refuseByName(text: string, record: ImageRecord, users: readonly ContainerRecord[], force: boolean): void {
  const [user] = users;
  if (user === undefined || force) return;
  throw conflict(
    record.id,
    `remove repository reference "${text}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${short(record.id)}`,
    `remove the container first (boxship rm ${user.name}), or use --force`,
  );
}

function refuseById(record: ImageRecord, users: readonly ContainerRecord[], force: boolean): void {
  const id = short(record.id);
  const running = users.find(({ state }) => isAlive(state));
  if (running !== undefined) {
    const why = `delete ${id} (cannot be forced) - image is being used by running container ${running.id.slice(0, 12)}`;
    throw conflict(record.id, why, `stop it first: boxship stop ${running.name}`);
  }
  if (force) return;
  const repositories = new Set(record.tags.map((tag) => `${tag.domain}/${tag.path}`));
  if (repositories.size > 1) {
    const why = `delete ${id} (must be forced) - image is referenced in multiple repositories`;
    throw conflict(record.id, why, "name the repository to remove, or use --force");
  }
  const [stopped] = users;
  if (stopped === undefined) return;
  const why = `delete ${id} (must be forced) - image is being used by stopped container ${stopped.id.slice(0, 12)}`;
  throw conflict(record.id, why, `remove it first: boxship rm ${stopped.name}`);
}

async function untagOne(context: EngineContext, record: ImageRecord, name: Reference): Promise<readonly Removal[]> {
  await context.images.store.untag(name);
  context.events.publish("image", "untag", record.id, { name: record.id });
  return [{ untagged: familiarReference(name) }];
}

/** Forced while containers use it: the names go, the image stays for them. */
async function untagAll(
  context: EngineContext,
  record: ImageRecord,
  names: readonly Reference[],
): Promise<readonly Removal[]> {
  const removals: Removal[] = [];
  for (const name of names) removals.push(...(await untagOne(context, record, name)));
  return removals;
}

/** Forgets an image and everything that only it needed. */
export async function deleteImage(
  context: EngineContext,
  record: ImageRecord,
  names: readonly Reference[] = namesOf(record),
): Promise<readonly Removal[]> {
  await context.images.store.remove(record.id);
  const layers = chainIds(record.config.rootfs.diff_ids);
  const removed = new Set(await context.images.sweep());
  for (const _name of names) context.events.publish("image", "untag", record.id, { name: record.id });
  context.events.publish("image", "delete", record.id, { name: record.id });
  return [
    ...names.map((name): Removal => ({ untagged: familiarReference(name) })),
    { deleted: record.id },
    ...layers
      .filter((chainId) => removed.has(chainId))
      .reverse()
      .map((chainId): Removal => ({ deleted: chainId })),
  ];
}
