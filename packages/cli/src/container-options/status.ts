import { ApiError } from "../api-client/api-error.ts";
import { Exit, Failure } from "../failure.ts";

/** Exit statuses of a container that never ran: the engine's failure, not executable, not found. */
const ENGINE_FAILED = 125;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** A failure in the words of `run`, with the way to its help. */
function wrapped(path: string, failure: Failure, status: number): Failure {
  return new Failure(`boxship: ${failure.message}\n\nRun 'boxship ${path} --help' for more information`, {
    status,
    remedy: failure.remedy,
    cause: failure,
  });
}

/** Runs what reads the command line; what is wrong there ends with status 125. */
export async function withHelp<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw wrapped(path, error, ENGINE_FAILED);
  }
}

/** Why a container did not start, as an exit status. */
export function startStatus(message: string): number {
  if (/executable file not found|no such file or directory|system cannot find the file/.test(message)) return NOT_FOUND;
  if (/permission denied|is a directory/.test(message)) return NOT_EXECUTABLE;
  return ENGINE_FAILED;
}

/** Runs what creates or starts a container; refusals of the engine become exit statuses 125 to 127. */
export async function withStartStatus<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Exit || !(error instanceof Failure)) throw error;
    throw wrapped(path, error, error instanceof ApiError ? startStatus(error.message) : ENGINE_FAILED);
  }
}
