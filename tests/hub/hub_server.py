"""A Hub for tests: the part of the Hugging Face Hub's HTTP interface that its Python client and `datasets` use.

Run as `python hub_server.py FOLDER`: it listens on a free port of 127.0.0.1 and prints its address. Commits are kept in
memory, file contents in FOLDER. There are two users: `hf_admin` is the token of `zoo`, `hf_other` that of `other`;
everybody may write under their own name, and `zoo` under those of its organisations too.

Tests stop time at `/test/hold?path=REGEX`: requests to such a path wait, before their content is read, until
`/test/release`, and are then refused. `/test/waiting` says how many of them there are.
"""

import asyncio
import base64
import hashlib
import json
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from hub_metadata import metadata, problems_of

USERS = {"hf_admin": "zoo", "hf_other": "other"}
# Of each account, those who may read and write there
MEMBERS = {"zoo": {"zoo"}, "other": {"other"}, "hearts": {"zoo"}, "clinic": {"zoo"}, "ward": {"zoo"}, "places": {"zoo"}}
TYPES = {"models": "model", "datasets": "dataset", "spaces": "space"}
URL_PREFIXES = {"model": "", "dataset": "datasets/", "space": "spaces/"}
LFS_NAMES = re.compile(r"\.(safetensors|bin|pt|pth|parquet|png|npz|nii|gz|onnx|zip)$")
DATE = "2026-01-01T00:00:00.000Z"


@dataclass
class File:
    """One file of a commit: its content's SHA-256, its size, its git object id, and whether git LFS holds it."""

    sha256: str
    size: int
    oid: str
    lfs: bool

    def entry(self, path: str) -> dict:
        """The file as the tree and paths-info answers show it."""
        lfs = {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 134}} if self.lfs else {}
        return {"type": "file", "oid": self.oid, "size": self.size, "path": path, **lfs}


@dataclass
class Repo:
    """A repository: commits by id (each a dict of all its files), branches, tags and the log, newest first.

    `gated` is `"auto"` or `"manual"` if a reader has to ask first, which nobody is granted here; `variables` are
    those of a Space.
    """

    private: bool
    commits: dict[str, dict[str, File]]
    branches: dict[str, str]
    tags: dict[str, str] = field(default_factory=dict)
    log: list[dict] = field(default_factory=list)
    gated: str | bool = False
    variables: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> str:
        """The commit id that a branch, tag or commit id stands for."""
        if commit := self.branches.get(revision) or self.tags.get(revision):
            return commit
        if revision in self.commits:
            return revision
        raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def files(self, revision: str) -> dict[str, File]:
        return self.commits[self.resolve(revision)]


class HubError(Exception):
    """An answer that the client turns into one of its exceptions, by status and by the code in the headers."""

    def __init__(self, status: int, code: str | None, message: str, headers: dict | None = None):
        headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}
        self.response = JSONResponse({"error": message}, status, headers)


app = FastAPI()
repos: dict[tuple[str, str], Repo] = {}
collections: dict[str, dict] = {}
held = {"path": None, "waiting": 0}
commit_lock = threading.Lock()
blobs = Path(sys.argv[1] if __name__ == "__main__" else ".")
base_url = ""


@app.exception_handler(HubError)
async def answer_error(request: Request, error: HubError):
    return error.response


@app.middleware("http")
async def hold(request: Request, call_next):
    if held["path"] and re.search(held["path"], request.url.path) and not request.url.path.startswith("/test/"):
        held["waiting"] += 1
        while held["path"]:
            await asyncio.sleep(0.02)
        held["waiting"] -= 1
        return Response(status_code=503)  # its client was killed, and might have sent all of it before
    return await call_next(request)


@app.post("/test/hold")
async def start_holding(path: str):
    held["path"] = path


@app.post("/test/release")
async def release():
    held["path"] = None


@app.get("/test/waiting")
async def waiting():
    return held["waiting"]


def put_blob(content: bytes) -> str:
    sha = hashlib.sha256(content).hexdigest()
    (blobs / sha).write_bytes(content)
    return sha


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def regular_file(content: bytes) -> File:
    return File(put_blob(content), len(content), git_oid(content), lfs=False)


def lfs_file(sha: str) -> File:
    size = (blobs / sha).stat().st_size
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {size}\n"
    return File(sha, size, git_oid(pointer.encode()), lfs=True)


def user_of(request: Request) -> str | None:
    return USERS.get(request.headers.get("authorization", "").removeprefix("Bearer ").strip())


def signed_in(request: Request) -> str:
    if user := user_of(request):
        return user
    raise HubError(401, None, "Invalid username or password.")


def owns(request: Request, name: str) -> bool:
    """Whether the account, or the repo or collection under it, is the request's user's own."""
    return user_of(request) in MEMBERS.get(name.split("/")[0], ())


def must_own(request: Request, name: str) -> str:
    user = signed_in(request)
    if not owns(request, name):
        raise HubError(403, None, "You don't have the rights")
    return user


def get_repo(repo_type: str, repo_id: str, request: Request, write: bool = False) -> Repo:
    """The repository, if the request's user may know of it, or write to it."""
    repo = repos.get((repo_type, repo_id))
    if repo is None or (repo.private and not owns(request, repo_id)):
        raise HubError(404 if user_of(request) else 401, "RepoNotFound", "Repository not found")
    if write:
        must_own(request, repo_id)
    return repo


async def body(request: Request) -> dict:
    content = await request.body()
    return json.loads(content) if content else {}


def repo_url(repo_type: str, repo_id: str) -> str:
    return f"{base_url}/{URL_PREFIXES[repo_type]}{repo_id}"


# Accounts and repositories


@app.get("/api/whoami-v2")
async def whoami(request: Request):
    user = signed_in(request)
    token = {"type": "access_token", "accessToken": {"displayName": "test", "role": "write"}}
    return {"type": "user", "id": user, "name": user, "fullname": user, "isPro": False, "orgs": [], "auth": token}


@app.post("/api/validate-yaml")
async def validate_yaml(request: Request):
    ask = await body(request)
    errors = [{"message": problem} for problem in problems_of(ask["repoType"], ask["content"])]
    missing = [] if errors or metadata(ask["content"]) else [{"message": "empty or missing yaml metadata"}]
    return JSONResponse({"errors": errors, "warnings": missing}, 400 if errors else 200)


@app.post("/api/repos/create")
async def create_repo(request: Request):
    user, ask = signed_in(request), await body(request)
    repo_type, repo_id = ask.get("type") or "model", f"{ask.get('organization') or user}/{ask['name']}"
    must_own(request, repo_id)
    if (repo_type, repo_id) in repos:
        answer = {"error": "You already created this repo", "url": repo_url(repo_type, repo_id)}
        return JSONResponse(answer, 409)
    commit = hashlib.sha1(f"{repo_type}{repo_id}{time.time_ns()}".encode()).hexdigest()
    attributes = regular_file(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    log = {"id": commit, "title": "initial commit", "message": "", "date": DATE, "authors": [{"user": user}]}
    repos[repo_type, repo_id] = Repo(
        private=ask.get("visibility") == "private" or bool(ask.get("private")),
        commits={commit: {".gitattributes": attributes}},
        branches={"main": commit},
        log=[{**log, "parents": []}],
    )
    return {"url": repo_url(repo_type, repo_id), "name": repo_id, "id": repo_id}


@app.delete("/api/repos/delete")
async def delete_repo(request: Request):
    ask = await body(request)
    key = ask.get("type") or "model", f"{ask.get('organization') or signed_in(request)}/{ask['name']}"
    get_repo(*key, request, write=True)
    del repos[key]
    return {}


@app.put("/api/{kind}/{owner}/{name}/settings")
async def change_settings(kind: str, owner: str, name: str, request: Request):
    repo, ask = get_repo(TYPES[kind], f"{owner}/{name}", request, write=True), await body(request)
    if "visibility" in ask or "private" in ask:
        repo.private = ask.get("visibility") == "private" or bool(ask.get("private"))
    repo.gated = ask.get("gated", repo.gated)
    return {}


@app.post("/api/spaces/{owner}/{name}/variables")
async def set_variable(owner: str, name: str, request: Request):
    ask = await body(request)
    variables = get_repo("space", f"{owner}/{name}", request, write=True).variables
    variables[ask["key"]] = ask["value"]
    return {key: {"key": key, "value": value} for key, value in variables.items()}


@app.get("/api/spaces/{owner}/{name}/variables")
async def get_variables(owner: str, name: str, request: Request):
    variables = get_repo("space", f"{owner}/{name}", request, write=True).variables
    return {key: {"key": key, "value": value} for key, value in variables.items()}


# Uploading: the client asks how to send each file, sends the large ones to LFS, then sends one commit


@app.post("/api/{kind}/{owner}/{name}/preupload/{revision:path}")
async def preupload(kind: str, owner: str, name: str, revision: str, request: Request):
    files = get_repo(TYPES[kind], f"{owner}/{name}", request, write=True).files(revision)
    answers = []
    for ask in (await body(request))["files"]:
        binary = b"\0" in base64.b64decode(ask["sample"])
        mode = "lfs" if ask["size"] > 1_000_000 or LFS_NAMES.search(ask["path"]) or binary else "regular"
        known = files.get(ask["path"])
        oid = (known.sha256 if known.lfs else known.oid) if known else None
        answers.append({"path": ask["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return {"files": answers}


@app.post("/{repo:path}.git/info/lfs/objects/batch")
async def lfs_batch(repo: str, request: Request):
    objects = [{"oid": ask["oid"], "size": ask["size"]} for ask in (await body(request))["objects"]]
    for answer in objects:
        if not (blobs / answer["oid"]).exists():
            upload, verify = f"{base_url}/lfs/{answer['oid']}", f"{base_url}/lfs-verify"
            answer["actions"] = {"upload": {"href": upload}, "verify": {"href": verify}}
    content = json.dumps({"transfer": "basic", "objects": objects})
    return Response(content, media_type="application/vnd.git-lfs+json")


@app.put("/lfs/{sha}")
async def lfs_upload(sha: str, request: Request):
    content = await request.body()
    if hashlib.sha256(content).hexdigest() != sha:
        raise HubError(400, None, "The content has another SHA-256 than announced")
    put_blob(content)
    return {}


@app.post("/lfs-verify")
async def lfs_verify():
    return {}


@app.post("/api/{kind}/{owner}/{name}/commit/{revision:path}")
async def commit(kind: str, owner: str, name: str, revision: str, request: Request):
    user = signed_in(request)
    repo = get_repo(TYPES[kind], f"{owner}/{name}", request, write=True)
    lines = [json.loads(line) for line in (await request.body()).splitlines() if line.strip()]
    with commit_lock:
        parent = repo.resolve(revision)
        files, header = dict(repo.commits[parent]), {}
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "header":
                    header = value
                    if value.get("parentCommit") not in (None, parent):
                        raise HubError(412, None, "A commit has happened since. Please refresh and try again.")
                case "file":
                    files[value["path"]] = regular_file(base64.b64decode(value["content"]))
                case "lfsFile":
                    files[value["path"]] = lfs_file(value["oid"])
                case "deletedFile":
                    files.pop(value["path"], None)
                case "deletedFolder":
                    folder = value["path"].rstrip("/") + "/"
                    files = {path: file for path, file in files.items() if not path.startswith(folder)}
                case key:
                    raise HubError(400, None, f"unsupported operation {key}")
        new = hashlib.sha1(f"{parent}{header['summary']}{time.time_ns()}".encode()).hexdigest()
        repo.commits[new] = files
        repo.branches[revision] = new
        date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        entry = {"id": new, "title": header["summary"], "message": header.get("description", ""), "date": date}
        repo.log.insert(0, {**entry, "authors": [{"user": user}], "parents": [parent]})
    url = f"{repo_url(TYPES[kind], f'{owner}/{name}')}/commit/{new}"
    return {"success": True, "commitOid": new, "commitUrl": url, "hookOutput": ""}


# Collections; before the general routes, which would take `collections` for a kind of repository


@app.get("/api/collections")
async def list_collections(request: Request):
    owner, found = request.query_params.get("owner"), collections.values()
    shown = [c for c in found if owner in (None, c["owner"]) and not (c["private"] and not owns(request, c["slug"]))]
    return [{key: value for key, value in c.items() if key != "position"} for c in shown]


@app.post("/api/collections")
async def create_collection(request: Request):
    ask = await body(request)
    owner = ask["namespace"]
    must_own(request, owner)
    if len(ask.get("description", "")) > 150:
        raise HubError(400, None, "description: at most 150 characters")
    number = hashlib.sha1(str(time.time_ns()).encode()).hexdigest()[:24]
    slug = f"{owner}/{re.sub(r'[^a-z0-9]+', '-', ask['title'].lower())}-{number}"
    told = {key: ask.get(key) for key in ("title", "description", "private")}
    more = {"lastUpdated": DATE, "position": 0, "theme": "green", "upvotes": 0}
    collections[slug] = {"slug": slug, "owner": owner, "items": [], **told, **more}
    return collections[slug]


def get_collection(slug: str, request: Request) -> dict:
    collection = collections.get(slug)
    if collection is None or (collection["private"] and not owns(request, slug)):
        raise HubError(404, None, "Collection not found")
    return collection


@app.get("/api/collections/{owner}/{name}")
async def show_collection(owner: str, name: str, request: Request):
    return get_collection(f"{owner}/{name}", request)


@app.post("/api/collections/{owner}/{name}/items")
async def add_item(owner: str, name: str, request: Request):
    collection, item = get_collection(f"{owner}/{name}", request), (await body(request))["item"]
    must_own(request, owner)
    get_repo(item["type"], item["id"], request)
    items = collection["items"]
    if any((known["id"], known["type"]) == (item["id"], item["type"]) for known in items):
        raise HubError(409, None, "The item is in the collection")
    items.append({"_id": f"{len(items):024x}", **item, "position": len(items), "note": None})
    return collection


# Reading


@app.get("/api/{kind}/{owner}/{name}/tree/{rest:path}")
async def tree(kind: str, owner: str, name: str, rest: str, request: Request):
    repo = get_repo(TYPES[kind], f"{owner}/{name}", request)
    # A revision with a slash in it arrives decoded: the whole rest may be a branch
    revision, _, folder = (rest, "", "") if rest in repo.branches else rest.partition("/")
    recursive = request.query_params.get("recursive", "").lower() in ("true", "1")
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    answers, folders = [], set()
    for path, file in sorted(repo.files(revision).items()):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            parent = prefix + "/".join(parts[:depth])
            if parent not in folders:
                folders.add(parent)
                oid = hashlib.sha1(parent.encode()).hexdigest()
                answers.append({"type": "directory", "oid": oid, "size": 0, "path": parent})
        if recursive or len(parts) == 1:
            answers.append(file.entry(path))
    if folder and not answers:
        raise HubError(404, "EntryNotFound", f"{folder} does not exist on {revision}")
    return answers


@app.post("/api/{kind}/{owner}/{name}/paths-info/{revision:path}")
async def paths_info(kind: str, owner: str, name: str, revision: str, request: Request):
    files = get_repo(TYPES[kind], f"{owner}/{name}", request).files(revision)
    if "json" in request.headers.get("content-type", ""):
        paths = (await body(request))["paths"]
    else:
        paths = (await request.form()).getlist("paths")
    answers = []
    for path in (path.strip("/") for path in paths):
        if path in files:
            answers.append(files[path].entry(path))
        elif any(file.startswith(path + "/") for file in files):
            oid = hashlib.sha1(path.encode()).hexdigest()
            answers.append({"type": "directory", "oid": oid, "size": 0, "path": path})
    return answers


@app.get("/api/{kind}/{owner}/{name}/refs")
async def refs(kind: str, owner: str, name: str, request: Request):
    repo = get_repo(TYPES[kind], f"{owner}/{name}", request)

    def listed(prefix: str, targets: dict[str, str]) -> list[dict]:
        return [{"name": k, "ref": f"refs/{prefix}/{k}", "targetCommit": commit} for k, commit in targets.items()]

    return {"branches": listed("heads", repo.branches), "converts": [], "tags": listed("tags", repo.tags)}


@app.get("/api/{kind}/{owner}/{name}/commits/{revision:path}")
async def commits(kind: str, owner: str, name: str, revision: str, request: Request):
    repo = get_repo(TYPES[kind], f"{owner}/{name}", request)
    repo.resolve(revision)
    return repo.log


@app.post("/api/{kind}/{owner}/{name}/branch/{branch:path}")
async def create_branch(kind: str, owner: str, name: str, branch: str, request: Request):
    repo, ask = get_repo(TYPES[kind], f"{owner}/{name}", request, write=True), await body(request)
    if branch in repo.branches:
        raise HubError(409, None, "The branch exists")
    repo.branches[branch] = repo.resolve(ask.get("startingPoint") or "main")
    return {}


@app.post("/api/{kind}/{owner}/{name}/tag/{revision:path}")
async def create_tag(kind: str, owner: str, name: str, revision: str, request: Request):
    repo, ask = get_repo(TYPES[kind], f"{owner}/{name}", request, write=True), await body(request)
    if ask["tag"] in repo.tags:
        raise HubError(409, None, "The tag exists")
    repo.tags[ask["tag"]] = repo.resolve(revision)
    return {}


def repo_info(repo_id: str, repo: Repo, revision: str) -> dict:
    commit = repo.resolve(revision)
    files = repo.commits[commit]
    card = {}
    if "README.md" in files:
        card = metadata((blobs / files["README.md"].sha256).read_text()) or {}
    return {
        "_id": commit[:24],
        "id": repo_id,
        "modelId": repo_id,
        "author": repo_id.split("/")[0],
        "sha": commit,
        "lastModified": repo.log[0]["date"],
        "createdAt": DATE,
        "private": repo.private,
        "disabled": False,
        "gated": repo.gated,
        "downloads": 0,
        "likes": 0,
        "tags": card.get("tags") or [],
        "pipeline_tag": card.get("pipeline_tag"),
        "library_name": card.get("library_name"),
        "cardData": card,
        "model-index": card.get("model-index"),
        "siblings": [{"rfilename": path, "size": f.size, "blobId": f.oid} for path, f in sorted(files.items())],
    }


@app.get("/api/{kind}/{owner}/{name}/revision/{revision:path}")
async def info_of_revision(kind: str, owner: str, name: str, revision: str, request: Request):
    return repo_info(f"{owner}/{name}", get_repo(TYPES[kind], f"{owner}/{name}", request), revision)


@app.get("/api/{kind}/{owner}/{name}")
async def info_of_main(kind: str, owner: str, name: str, request: Request):
    if kind not in TYPES:
        raise HubError(404, None, "Not found")
    return repo_info(f"{owner}/{name}", get_repo(TYPES[kind], f"{owner}/{name}", request), "main")


@app.get("/api/{kind}")
async def list_repos(kind: str, request: Request):
    if kind not in TYPES:
        raise HubError(404, None, "Not found")
    query, answers = request.query_params, []
    for (repo_type, repo_id), repo in repos.items():
        owner = repo_id.split("/")[0]
        hidden = repo.private and not owns(request, owner)
        if repo_type != TYPES[kind] or hidden or query.get("author", owner) != owner:
            continue
        info = repo_info(repo_id, repo, "main")
        wanted = query.getlist("filter")
        if query.get("search", "") in repo_id and all(f in (*info["tags"], info["library_name"]) for f in wanted):
            expand = query.getlist("expand")  # without it, `model-index` is not part of a list
            shown = {"_id", "id", *expand} if expand else info.keys() - {"model-index", "cardData"}
            answers.append({key: value for key, value in info.items() if key in shown})
    return answers


async def download(repo_type: str, repo_id: str, rest: str, request: Request) -> Response:
    """One file of `revision/path`; a range of bytes of it if the request asks for one."""
    repo = get_repo(repo_type, repo_id, request)
    if repo.gated and not owns(request, repo_id):
        raise HubError(403 if user_of(request) else 401, "GatedRepo", "Access to this repo is restricted")
    known = sorted([*repo.branches, *repo.tags, *repo.commits], key=len, reverse=True)
    revision = next((name for name in known if rest.startswith(name + "/")), None)
    if revision is None:
        raise HubError(404, "RevisionNotFound", f"Invalid rev id: {rest}")
    commit, path = repo.resolve(revision), rest[len(revision) + 1 :]
    file = repo.commits[commit].get(path)
    if file is None:
        raise HubError(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
    etag = f'"{file.sha256 if file.lfs else file.oid}"'
    headers = {"X-Repo-Commit": commit, "ETag": etag, "Accept-Ranges": "bytes", "Content-Disposition": "inline"}
    if file.lfs:
        headers |= {"X-Linked-Size": str(file.size), "X-Linked-Etag": etag}
    if request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(file.size)})
    content, status = (blobs / file.sha256).read_bytes(), 200
    if match := re.match(r"bytes=(\d*)-(\d*)$", request.headers.get("range", "")):
        first, last = match.groups()
        start = int(first) if first else file.size - int(last)
        stop = int(last) + 1 if first and last else file.size
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        content, status = content[start:stop], 206
    return Response(content, status, headers, media_type="application/octet-stream")


@app.api_route("/datasets/{owner}/{name}/resolve/{rest:path}", methods=["GET", "HEAD"])
async def download_dataset(owner: str, name: str, rest: str, request: Request):
    return await download("dataset", f"{owner}/{name}", rest, request)


@app.api_route("/spaces/{owner}/{name}/resolve/{rest:path}", methods=["GET", "HEAD"])
async def download_space(owner: str, name: str, rest: str, request: Request):
    return await download("space", f"{owner}/{name}", rest, request)


@app.api_route("/{owner}/{name}/resolve/{rest:path}", methods=["GET", "HEAD"])
async def download_model(owner: str, name: str, rest: str, request: Request):
    return await download("model", f"{owner}/{name}", rest, request)


if __name__ == "__main__":
    blobs.mkdir(parents=True, exist_ok=True)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # before the address is known, so that nobody comes too early
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(base_url, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
