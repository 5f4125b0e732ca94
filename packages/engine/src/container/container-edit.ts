import type { ContainerRecord, MountSet } from "./record.ts";

/**
 * The record's part in a change of mounts for which a container gets a new process; the verbs are in
 * `container-recreate.ts`.
 *
 * ```
 *  running ── begin ──▶ running, edit: stopping ── exit ──▶ restarting, edit: starting ── start ──▶ running
 *                        (old mounts, new kept)              (new mounts, old kept)   └─ failed ──▶ restarting
 *                                                                                                  (old mounts)
 * ```
 *
 * Each arrow is one write, so that a daemon that begins anywhere in between goes on from there. A stop or a kill by the
 * user ends it wherever it is: what is recorded as mounted then stays so.
 */

/** What a container has mounted. */
export function mountSetOf({ mounts, hostConfig }: ContainerRecord): MountSet {
  const { binds, mounts: specs, tmpfs } = hostConfig;
  return {
    mounts,
    hostConfig: {
      ...(binds === undefined ? {} : { binds }),
      ...(specs === undefined ? {} : { mounts: specs }),
      ...(tmpfs === undefined ? {} : { tmpfs }),
    },
  };
}

/** The record with other mounts, whatever else of it has changed meanwhile. */
export function withMountSet(record: ContainerRecord, { mounts, hostConfig }: MountSet): ContainerRecord {
  const { binds: _binds, mounts: _mounts, tmpfs: _tmpfs, ...rest } = record.hostConfig;
  return { ...record, mounts, hostConfig: { ...rest, ...hostConfig } };
}

/** The same record when there is no change under way. */
export function withoutEdit(record: ContainerRecord): ContainerRecord {
  if (record.edit === undefined) return record;
  const { edit: _edit, ...rest } = record;
  return rest;
}

/** Its process has ended for the change: from here on it has the new mounts. */
export function editExited(ended: ContainerRecord): ContainerRecord {
  const { edit } = ended;
  if (edit?.phase !== "stopping") return ended;
  return {
    ...withMountSet(ended, edit.set),
    edit: { phase: "starting", set: mountSetOf(ended) },
    // That was not the user's wish.
    stoppedByUser: false,
  };
}

/** It could not be started with the new mounts: it has the old ones again, and is to be started with them. */
export function editFailed(failed: ContainerRecord): ContainerRecord {
  const { edit, state } = failed;
  if (edit?.phase !== "starting" || state.status !== "exited") return withoutEdit(failed);
  return withoutEdit({ ...withMountSet(failed, edit.set), state: { ...state, status: "restarting" } });
}
