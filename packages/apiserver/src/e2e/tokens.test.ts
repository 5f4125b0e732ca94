import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { text as textOf } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { createLogger, FakeClock } from "@boxship/base";
import { kubectl, type TempDir, tempDir } from "@boxship/testkit";
import { parseAuthenticationFile } from "../authentication/authentication-file.ts";
import { readKubeconfig } from "../authentication/read-kubeconfig.ts";
import { issueCertificate, makeAuthority } from "../certificates/issue-certificate.ts";
import { type Answer, type ApiUnderTest, type Loose, startApi } from "../testing/api-under-test.ts";
import { type HttpsUnderTest, startHttps } from "../testing/https-under-test.ts";

const CORE = "/api/v1/namespaces/default";
const REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews";
const WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const ISSUER = "https://kubernetes.default.svc.cluster.local";

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const claimsOf = (token: string): Loose => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

function signed(key: KeyObject, header: object, claims: object): string {
  const text = `${part(header)}.${part(claims)}`;
  const options = key.asymmetricKeyType === "ec" ? { key, dsaEncoding: "ieee-p1363" as const } : { key };
  return `${text}.${sign("sha256", Buffer.from(text), options).toString("base64url")}`;
}

describe("tokens", () => {
  let api: ApiUnderTest;
  let issuer: HttpsUnderTest;
  let webhook: HttpsUnderTest;
  const provider = generateKeyPairSync("rsa", { modulusLength: 2048 });
  let directory: TempDir;
  const lines: string[] = [];
  const clock = new FakeClock(Date.now());
  const bearer = (token: string) => ({ anonymous: true, headers: { authorization: `Bearer ${token}` } });
  const whoami = (token: string): Promise<Answer> => api.call("POST", WHOAMI, { ...bearer(token), body: {} });
  const make = async (path: string, body: object): Promise<Loose> => {
    const made = await api.call("POST", path, { body });
    assert.equal(made.status, 201, made.text);
    return made.json;
  };
  const order = async (account: string, spec: object = {}): Promise<string> =>
    (await make(`${CORE}/serviceaccounts/${account}/token`, { spec }))["status"]["token"] as string;
  const accepted = async (token: string): Promise<boolean> => {
    const { status, text } = await whoami(token);
    assert.ok(status === 201 || status === 401, text);
    return status === 201;
  };

  before(async () => {
    issuer = await startHttps((path) => {
      if (path === "/.well-known/openid-configuration") return { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` };
      if (path === "/second") return { issuer: `${issuer.url}/second`, jwks_uri: `${issuer.url}/keys` };
      if (path === "/keys")
        return { keys: [{ ...provider.publicKey.export({ format: "jwk" }), kid: "one", alg: "RS256" }] };
      return undefined;
    });
    webhook = await startHttps((_, { spec }) => ({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      status: spec.token === "let-me-in" ? { authenticated: true, user: { username: "wanda", groups: ["w"] } } : {},
    }));
    const file = JSON.stringify({
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "AuthenticationConfiguration",
      jwt: [
        {
          issuer: { url: issuer.url, certificateAuthority: issuer.authority, audiences: ["cluster"] },
          claimMappings: { username: { claim: "sub", prefix: "oidc:" }, groups: { claim: "groups", prefix: "oidc:" } },
          claimValidationRules: [{ claim: "hd", requiredValue: "example.com" }],
        },
        {
          issuer: {
            url: `${issuer.url}/second`,
            discoveryURL: `${issuer.url}/second`,
            certificateAuthority: issuer.authority,
            audiences: ["cluster"],
          },
          claimValidationRules: [{ expression: "claims.exp - claims.iat <= 3600", message: "it holds for too long" }],
          claimMappings: {
            username: { expression: "claims.email_verified ? 'mail:' + claims.email : 'id:' + claims.sub" },
            groups: { expression: "claims.roles.map(role, 'role:' + role)" },
            uid: { expression: "claims.sub" },
            extra: [
              { key: "example.com/team", valueExpression: "claims.?team.orValue('')" },
              { key: "example.com/roles", valueExpression: "claims.roles" },
            ],
          },
          userValidationRules: [
            { expression: "!user.username.startsWith('system:')", message: "a reserved name" },
            { expression: "user.groups.all(group, !group.startsWith('role:system:'))" },
          ],
        },
      ],
      anonymous: { enabled: true, conditions: [{ path: "/livez" }] },
    });
    const logger = createLogger({ level: "debug", write: (line) => void lines.push(line) });
    directory = tempDir();
    const kubeconfig = directory.join("webhook.yaml");
    await writeFile(
      kubeconfig,
      JSON.stringify({
        "current-context": "w",
        contexts: [{ name: "w", context: { cluster: "w", user: "w" } }],
        clusters: [
          {
            name: "w",
            cluster: {
              server: webhook.url,
              "certificate-authority-data": Buffer.from(webhook.authority).toString("base64"),
            },
          },
        ],
        users: [{ name: "w", user: {} }],
      }),
    );
    const tokenWebhook = await readKubeconfig(kubeconfig);
    api = await startApi({ clock, logger, authentication: parseAuthenticationFile(file), tokenWebhook });
    await make(`${CORE}/serviceaccounts`, { metadata: { name: "robot" } });
  });
  after(async () => {
    await api?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
    await webhook?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  test("who has a certificate of a foreign authority is known by a token, and otherwise refused", async () => {
    const authority = await makeAuthority("kubernetes", Date.now());
    const wanted = { commonName: "jane", organizations: ["system:masters"], usage: "client" } as const;
    const { certificate: cert, key } = await issueCertificate(authority, wanted, Date.now());
    using agent = Object.assign(new Agent({ ca: api.certificates.authority, cert, key }), {
      [Symbol.dispose](this: Agent) {
        this.destroy();
      },
    });
    const asked = async (headers: Record<string, string>): Promise<Loose> => {
      const sent = request(`${api.url}${WHOAMI}`, { method: "POST", agent, headers });
      sent.setHeader("content-type", "application/json").end("{}");
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      return JSON.parse(await textOf(response));
    };
    assert.equal((await asked({})).code, 401);
    assert.equal((await asked({ authorization: "Bearer nobody" })).code, 401);
    const { status } = await asked({ authorization: `Bearer ${await order("default")}` });
    assert.equal(status.userInfo.username, "system:serviceaccount:default:default");
  });

  test("a secret of a token has one at once, which holds as long as both are there", async () => {
    const account = await make(`${CORE}/serviceaccounts`, { metadata: { name: "kept" } });
    const secret = (name: string, owner: string) => ({
      metadata: { name, annotations: { "kubernetes.io/service-account.name": owner } },
      type: "kubernetes.io/service-account-token",
    });
    const refused = await api.call("POST", `${CORE}/secrets`, { body: secret("early", "nobody") });
    assert.equal(refused.status, 403);
    const made = await make(`${CORE}/secrets`, secret("first", "kept"));
    assert.equal(made.metadata.annotations["kubernetes.io/service-account.uid"], account.metadata.uid);
    assert.deepEqual(Object.keys(made.data).sort(), ["ca.crt", "namespace", "token"]);
    const token = Buffer.from(made.data.token, "base64").toString();
    const { username, groups } = (await whoami(token)).json.status.userInfo;
    assert.equal(username, "system:serviceaccount:default:kept");
    assert.ok(groups.includes("system:serviceaccounts:default"));
    // A change of something else leaves it, and without it there is another one.
    const patch = (body: object) =>
      api.call("PATCH", `${CORE}/secrets/first`, { body, headers: { "content-type": "application/merge-patch+json" } });
    assert.equal((await patch({ metadata: { labels: { a: "b" } } })).json.data.token, made.data.token);
    assert.equal(await accepted(token), true);
    assert.equal((await api.call("DELETE", `${CORE}/secrets/first`)).status, 200);
    assert.equal(await accepted(token), false);
    const second = await make(`${CORE}/secrets`, secret("second", "kept"));
    const other = Buffer.from(second.data.token, "base64").toString();
    assert.equal(await accepted(other), true);
    await api.call("DELETE", `${CORE}/serviceaccounts/kept`);
    assert.equal(await accepted(other), false);
    for (let tries = 0; (await api.call("GET", `${CORE}/secrets/second`)).status !== 404; tries++)
      assert.ok(tries < 1000);
  });

  test("a service account's token stands for it, for those that it is for, as long as it asked", async () => {
    const token = await order("robot");
    const { userInfo } = (await whoami(token)).json["status"];
    assert.equal(userInfo.username, "system:serviceaccount:default:robot");
    assert.deepEqual(userInfo.groups, [
      "system:serviceaccounts",
      "system:serviceaccounts:default",
      "system:authenticated",
    ]);
    assert.match(userInfo.extra["authentication.kubernetes.io/credential-id"][0], /^JTI=[0-9a-f-]{36}$/);
    const claims = claimsOf(token);
    assert.deepEqual([claims.iss, claims.aud, claims.exp - claims.iat], [ISSUER, [ISSUER], 3600]);
    const refused = await api.call("GET", `${CORE}/secrets`, bearer(token));
    assert.match(refused.json["message"], /User "system:serviceaccount:default:robot" cannot list resource "secrets"/);
    assert.equal(await accepted(await order("robot", { audiences: ["vault"] })), false, "for somebody else");
    assert.equal(await accepted(await order("robot", { audiences: ["vault", ISSUER] })), true);
    for (const [spec, words] of [
      [{ expirationSeconds: 599 }, "may not specify a duration less than 10 minutes"],
      [{ expirationSeconds: 2 ** 32 + 1 }, "may not specify a duration larger than 2^32 seconds"],
    ] as const) {
      const wrong = await api.call("POST", `${CORE}/serviceaccounts/robot/token`, { body: { spec } });
      assert.deepEqual([wrong.status, wrong.json["message"].includes(words)], [422, true], wrong.text);
    }
    assert.equal((await api.call("POST", `${CORE}/serviceaccounts/none/token`, { body: {} })).status, 404);
    const short = await order("robot", { expirationSeconds: 600 });
    assert.equal(await accepted(short), true);
    await clock.advance(601_000);
    assert.equal(await accepted(short), false, "its time has run out");
    assert.equal(await accepted(token), true);
  });

  test("forged and changed tokens are nobody's", async () => {
    const token = await order("robot");
    const [head = "", body = "", signature = ""] = token.split(".");
    const { kid } = JSON.parse(Buffer.from(head, "base64url").toString());
    const claims = claimsOf(token);
    const mine = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const jwks = (await api.call("GET", "/openid/v1/jwks")).json;
    const publicBytes = JSON.stringify(jwks.keys[0]);
    const hmac = `${part({ alg: "HS256", kid })}.${body}`;
    const flipped = Buffer.from(signature, "base64url");
    flipped[5] = (flipped[5] ?? 0) ^ 1;
    const forged = [
      signed(mine.privateKey, { alg: "ES256", kid }, claims),
      signed(mine.privateKey, { alg: "ES256" }, claims),
      signed(mine.privateKey, { alg: "ES256", kid, jwk: mine.publicKey.export({ format: "jwk" }) }, claims),
      `${part({ alg: "none", kid })}.${body}.`,
      `${part({ alg: "none", kid })}.${body}.${signature}`,
      `${hmac}.${createHash("sha256")
        .update(publicBytes + hmac)
        .digest("base64url")}`,
      `${head}.${part({ ...claims, sub: "system:serviceaccount:kube-system:default" })}.${signature}`,
      `${head}.${body}.${flipped.toString("base64url")}`,
      `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`,
      `${head}.${body}.${signature}.x`,
      `${head}.${body}`,
      "x".repeat(100_000).slice(0, 8000),
    ];
    for (const [index, one] of forged.entries()) assert.equal(await accepted(one), false, `forged ${index}`);
    assert.equal(await accepted(token), true);
  });

  test("a token ends with its account, its pod, its secret, its node, and does not come back with their names", async () => {
    await make(`${CORE}/serviceaccounts`, { metadata: { name: "brief" } });
    const old = await order("brief");
    await make(`${CORE}/secrets`, { metadata: { name: "tied" } });
    await make("/api/v1/nodes", { metadata: { name: "n1" } });
    await make(`${CORE}/pods`, {
      metadata: { name: "tied" },
      spec: { serviceAccountName: "brief", nodeName: "n1", containers: [{ name: "a", image: "a" }] },
    });
    const bound = (kind: string, name: string, more: object = {}) => ({
      boundObjectRef: { apiVersion: "v1", kind, name, ...more },
    });
    const inPod = await order("brief", { ...bound("Pod", "tied"), expirationSeconds: 3607 });
    const inSecret = await order("brief", bound("Secret", "tied"));
    const onNode = await order("brief", bound("Node", "n1"));
    const { extra } = (await whoami(inPod)).json["status"]["userInfo"];
    assert.deepEqual(extra["authentication.kubernetes.io/pod-name"], ["tied"]);
    assert.deepEqual(extra["authentication.kubernetes.io/node-name"], ["n1"]);
    const claims = claimsOf(inPod);
    assert.equal(claims.exp - claims.iat, 365 * 24 * 3600, "extended for clients that read it once");
    assert.equal(claims["kubernetes.io"].warnafter - claims.iat, 3607);
    for (const [path, token] of [
      [`${CORE}/secrets/tied`, inSecret],
      ["/api/v1/nodes/n1", onNode],
      [`${CORE}/pods/tied?gracePeriodSeconds=0`, inPod],
    ] as const) {
      assert.equal(await accepted(token), true, path);
      await api.call("DELETE", path);
      assert.equal(await accepted(token), false, path);
    }
    await api.call("DELETE", `${CORE}/serviceaccounts/brief`);
    await make(`${CORE}/serviceaccounts`, { metadata: { name: "brief" } });
    assert.equal(await accepted(old), false, "another account of the same name");
    const cases = [
      [bound("ConfigMap", "x"), 400, "cannot bind token to object of type v1, Kind=ConfigMap"],
      [bound("Secret", "none"), 404, 'secrets "none" not found'],
      [bound("Secret", "known", { uid: "other" }), 409, "the UID in the bound object reference (other)"],
      [bound("Pod", "others"), 400, "to pod running with different serviceaccount name."],
    ] as const;
    await make(`${CORE}/secrets`, { metadata: { name: "known" } });
    await make(`${CORE}/pods`, { metadata: { name: "others" }, spec: { containers: [{ name: "a", image: "a" }] } });
    for (const [spec, code, words] of cases) {
      const answer = await api.call("POST", `${CORE}/serviceaccounts/brief/token`, { body: { spec } });
      assert.deepEqual([answer.status, answer.json["message"].includes(words)], [code, true], answer.text);
    }
  });

  test("reviews tell whom a token stands for, and whom it is for", async () => {
    const token = await order("robot", { audiences: ["vault", "db"] });
    const review = async (spec: object): Promise<Loose> => (await make(REVIEWS, { spec }))["status"];
    const known = await review({ token, audiences: ["db", "other"] });
    assert.deepEqual(
      [known.authenticated, known.user.username, known.audiences],
      [true, "system:serviceaccount:default:robot", ["db"]],
    );
    const other = await review({ token });
    assert.deepEqual([other.authenticated, typeof other.error], [undefined, "string"]);
    assert.equal((await review({ token: "rubbish" })).authenticated, undefined);
    assert.equal((await api.call("POST", REVIEWS, { body: { spec: { token: "" } } })).status, 400);
  });

  test("others find the keys, as the discovery document tells, and can check tokens with them", async () => {
    const token = await order("robot");
    const found = (await api.call("GET", "/.well-known/openid-configuration", bearer(token))).json;
    assert.deepEqual([found.issuer, found.jwks_uri], [ISSUER, "https://127.0.0.1:6443/openid/v1/jwks"]);
    const { keys } = (await api.call("GET", new URL(found.jwks_uri).pathname, bearer(token))).json;
    const [head = "", body = "", signature = ""] = token.split(".");
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("jwk", keys[0], algorithm, false, ["verify"]);
    const fits = await crypto.subtle.verify(
      algorithm,
      key,
      Buffer.from(signature, "base64url"),
      Buffer.from(`${head}.${body}`),
    );
    assert.equal(fits, true);
    assert.equal(keys[0].kid, JSON.parse(Buffer.from(head, "base64url").toString()).kid);
  });

  test("bootstrap tokens stand for who joins", async () => {
    const secret = (data: Record<string, string>) => ({
      metadata: { name: "bootstrap-token-abcdef" },
      type: "bootstrap.kubernetes.io/token",
      stringData: {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        ...data,
      },
    });
    const path = "/api/v1/namespaces/kube-system/secrets";
    await make(path, secret({ "auth-extra-groups": "system:bootstrappers:workers" }));
    const { userInfo } = (await whoami("abcdef.0123456789abcdef")).json["status"];
    assert.equal(userInfo.username, "system:bootstrap:abcdef");
    assert.deepEqual(userInfo.groups.slice(0, 2), ["system:bootstrappers", "system:bootstrappers:workers"]);
    assert.equal(await accepted("abcdef.0123456789abcdeg"), false);
    assert.equal(await accepted("abcdeg.0123456789abcdef"), false);
    const bad: readonly Record<string, string>[] = [
      { expiration: new Date(clock.now() - 1000).toISOString() },
      { "usage-bootstrap-authentication": "false" },
      { "auth-extra-groups": "system:masters" },
    ];
    for (const data of bad) {
      await api.call("PUT", `${path}/bootstrap-token-abcdef`, { body: secret(data) });
      assert.equal(await accepted("abcdef.0123456789abcdef"), false, JSON.stringify(data));
    }
  });

  test("tokens of an issuer of OpenID Connect, and of a webhook", async () => {
    const now = Math.floor(clock.now() / 1000);
    const claims = { iss: issuer.url, aud: "cluster", exp: now + 60, sub: "ann", groups: ["dev"], hd: "example.com" };
    const header = { alg: "RS256", kid: "one" };
    const { userInfo } = (await whoami(signed(provider.privateKey, header, claims))).json["status"];
    assert.deepEqual([userInfo.username, userInfo.groups], ["oidc:ann", ["oidc:dev", "system:authenticated"]]);
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const wrong: readonly [string, string][] = [
      ["of another key", signed(other, header, claims)],
      ["expired", signed(provider.privateKey, header, { ...claims, exp: now - 1 })],
      ["not yet", signed(provider.privateKey, header, { ...claims, nbf: now + 61 })],
      ["for others, at its depth", signed(provider.privateKey, header, { ...claims, aud: [["cluster"]] })],
      ["for another", signed(provider.privateKey, header, { ...claims, aud: "other" })],
      ["without the claim", signed(provider.privateKey, header, { ...claims, hd: "example.org" })],
      ["of nobody", signed(provider.privateKey, header, { ...claims, sub: undefined })],
      ["of another issuer", signed(provider.privateKey, header, { ...claims, iss: "https://localhost:1" })],
    ];
    for (const [why, token] of wrong) assert.equal(await accepted(token), false, why);
    const early = { ...claims, nbf: now + 60, aud: ["other", "cluster"] };
    assert.equal(await accepted(signed(provider.privateKey, header, early)), true, "clocks are not the same");
    const iat = now;
    const second = {
      ...claims,
      iss: `${issuer.url}/second`,
      iat,
      email: "ann@x",
      email_verified: true,
      roles: ["a", "b"],
    };
    const token = (changed: object): string => signed(provider.privateKey, header, { ...second, ...changed });
    const known = (await whoami(token({}))).json["status"]["userInfo"];
    assert.deepEqual(known, {
      username: "mail:ann@x",
      uid: "ann",
      groups: ["role:a", "role:b", "system:authenticated"],
      extra: { "example.com/roles": ["a", "b"] },
    });
    const unverified = (await whoami(token({ email_verified: false, team: "t" }))).json["status"]["userInfo"];
    assert.deepEqual([unverified.username, unverified.extra["example.com/team"]], ["id:ann", ["t"]]);
    for (const changed of [{ iat: now - 9999 }, { roles: ["system:a"] }, { roles: "a" }, { iat: undefined }])
      assert.equal(await accepted(token(changed)), false, JSON.stringify(changed));
    const at = await Promise.all(["let-me-in", "let-me-in", "let-me-in"].map((one) => whoami(one)));
    assert.deepEqual(
      at.map(({ json }) => json["status"]["userInfo"].username),
      ["wanda", "wanda", "wanda"],
    );
    await whoami("let-me-in");
    assert.equal(webhook.received.filter((one) => one.spec.token === "let-me-in").length, 1, "asked once");
    assert.equal(await accepted("let-me-out"), false);
  });

  test("nobody sees what the file allows, and nothing else", async () => {
    assert.equal((await api.call("GET", "/livez", { anonymous: true })).status, 200);
    assert.equal((await api.call("GET", "/version", { anonymous: true })).status, 401);
  });

  test("kubectl create token, and every namespace's default account", async (t) => {
    const run = kubectl(api.kubeconfig, api.directory.join("home"));
    if (run === undefined) return t.skip("kubectl cannot be had here");
    await run(["create", "namespace", "fresh"]);
    const pod = await run(["run", "first", "--image=busybox", "-n", "fresh"]);
    assert.equal(pod.status, 0, pod.stderr);
    const made = await run(["create", "token", "default", "-n", "fresh", "--duration=30m", "--audience", ISSUER]);
    assert.equal(made.status, 0, made.stderr);
    const token = made.stdout.trim();
    assert.equal((await whoami(token)).json["status"]["userInfo"].username, "system:serviceaccount:fresh:default");
    const root = await run(["get", "cm", "kube-root-ca.crt", "-n", "fresh", "-o", "jsonpath={.data}"]);
    assert.match(root.stdout, /BEGIN CERTIFICATE/);
  });

  test("no token is in the logs", () => {
    assert.equal(
      lines.some((line) => /eyJ|0123456789abcdef|let-me/.test(line)),
      false,
    );
  });
});
