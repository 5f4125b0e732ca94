import { deepEqual, equal, match } from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { onSocket } from "../e2e/programs.ts";

/** The engine's `/auth`: one password is right, one server hands out tokens. */
function authServer(seen: unknown[]): Server {
  return createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const auth = JSON.parse(body) as Readonly<Record<string, string>>;
      seen.push(auth);
      if (auth["password"] !== "right") {
        response.statusCode = 401;
        response.end('{"message":"unauthorized: incorrect username or password"}');
      } else
        response.end(
          JSON.stringify({
            Status: "Login Succeeded",
            IdentityToken: auth["serveraddress"] === "token.example" ? "tok" : "",
          }),
        );
    });
  });
}

test("login asks the engine, keeps what it accepted, and logout forgets it", async () => {
  await using directory = tempDir("cli-login");
  mkdirSync(directory.join("config"));
  writeFileSync(directory.join("config/config.json"), '{"other":1}');
  const seen: unknown[] = [];
  const server = authServer(seen);
  await new Promise<void>((done) => server.listen(directory.join("s"), done));
  const run = onSocket(directory.join("s"));
  const env = { DOCKER_CONFIG: directory.join("config"), HOME: directory.path };
  const kept = (): unknown => JSON.parse(readFileSync(directory.join("config/config.json"), "utf8"));
  try {
    const wrong = await run(["login", "-u", "me", "--password-stdin", "reg.example"], { input: "wrong\n", env });
    deepEqual(
      [wrong.status, wrong.stderr],
      [1, "Error response from daemon: unauthorized: incorrect username or password\n"],
    );
    deepEqual(kept(), { other: 1 });

    const right = await run(["login", "-u", "me", "--password-stdin", "https://reg.example/v2/"], {
      input: "right\n",
      env,
    });
    deepEqual([right.status, right.stdout], [0, "Login Succeeded\n"]);
    match(right.stderr, /stored unencrypted in '.*config\.json'/);
    const auth = Buffer.from("me:right").toString("base64");
    deepEqual(kept(), { other: 1, auths: { "reg.example": { auth } } });
    deepEqual(seen.at(-1), { username: "me", password: "right", serveraddress: "reg.example" });

    const again = await run(["login", "reg.example"], { env });
    deepEqual([again.status, /existing credentials.*me/.test(again.stderr)], [0, true]);
    await run(["login", "-u", "me", "-p", "right", "token.example"], { env });
    deepEqual((kept() as { auths: Record<string, unknown> }).auths["token.example"], {
      auth: Buffer.from("me:").toString("base64"),
      identitytoken: "tok",
    });

    const out = await run(["logout", "reg.example"], { env });
    equal(out.stdout, "Removing login credentials for reg.example\n");
    deepEqual(Object.keys((kept() as { auths: object }).auths), ["token.example"]);
    const nothing = await run(["logout", "reg.example"], { env });
    deepEqual([nothing.status, nothing.stdout], [0, "Removing login credentials for reg.example\n"]);

    const blind = await run(["login", "other.example"], { env });
    deepEqual(
      [blind.status, blind.stderr.split("\n")[0]],
      [1, "Error: Cannot perform an interactive login from a non TTY device"],
    );
  } finally {
    await new Promise((done) => server.close(done));
  }
});
