import { type Clock, DeadlineExceeded, systemClock, systemCode } from "@boxship/base";
import { type FilesystemSpace, statfsInBackground, statxInBackground } from "@boxship/kernel";

/** How long the server of a file system may take to answer. */
const PATIENCE_MS = 10_000;
/** And when only its space is asked for, of which others are told who wait themselves. */
const SPACE_PATIENCE_MS = 1000;

/** What is asked for now. Who asks again waits for the same answer: one that never comes costs one thread. */
const asked = new Map<string, Promise<unknown>>();

/**
 * Waits until the file system of a user's path answers, before it is looked at in earnest: a call to one that does not would
 * keep a thread of Node's few for ever, or all of this process. Whether anything is there is not said.
 *
 * @throws DeadlineExceeded
 */
export async function awaitFileSystem(path: string, clock: Clock = systemClock): Promise<void> {
  const gone = ["ENOENT", "ENOTDIR", "ELOOP", "EACCES", "ENAMETOOLONG"];
  await inTime(`there ${path}`, path, PATIENCE_MS, clock, async () => {
    await statxInBackground(path).catch((error: unknown) => {
      if (!gone.includes(systemCode(error) ?? "")) throw error;
    });
  });
}

/** How much there is of a path's file system. @throws DeadlineExceeded */
export async function fileSystemSpace(path: string, clock: Clock = systemClock): Promise<FilesystemSpace> {
  return await inTime(`space ${path}`, path, SPACE_PATIENCE_MS, clock, () => statfsInBackground(path));
}

async function inTime<Answer>(
  key: string,
  path: string,
  patience: number,
  clock: Clock,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const answer = (asked.get(key) as Promise<Answer> | undefined) ?? ask().finally(() => asked.delete(key));
  asked.set(key, answer);
  const late = Promise.withResolvers<never>();
  using _timer = clock.setTimeout(patience, () =>
    late.reject(
      new DeadlineExceeded(`the file system of ${path} does not answer`, {
        subject: { kind: "mount", name: path },
        remedy: "look after its server, or unmount it",
      }),
    ),
  );
  return await Promise.race([answer, late.promise]);
}
