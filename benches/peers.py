"""Gateways that people run today, set up to do what Starter's policies do: for `gateway.py --peers`."""
import glob
import json
import os
import pathlib
import secrets

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEYS = 10_000


def nginx(folder, name, server, modules=""):
    """The command of an nginx with one worker and no access log."""
    text = f"""{modules}
worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log warn; daemon off;
events {{ worker_connections 4096; }}
http {{
  access_log off; server_tokens off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/{name}.b; proxy_temp_path {folder}/{name}.p; fastcgi_temp_path {folder}/{name}.f;
  uwsgi_temp_path {folder}/{name}.u; scgi_temp_path {folder}/{name}.s;
  {server}
}}"""
    path = pathlib.Path(folder) / f"{name}.conf"
    path.write_text(text)
    return ["nginx", "-p", str(folder), "-c", str(path)]


def nginx_plain(folder, port, upstream):
    return nginx(folder, "proxy", f"""
  upstream backend {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}""")


def nginx_lua_full(folder, port, upstream, key):
    """What Kong and APISIX do at least for a call: a handler in every phase, a key of 10,000, a window with its two headers, a
    request id both ways, and counts by consumer and status."""
    keys = pathlib.Path(folder) / "keys.txt"
    keys.write_text("\n".join([secrets.token_hex(16) for _ in range(KEYS - 1)] + [key]) + "\n")
    modules = "".join(f"load_module /usr/lib/nginx/modules/{name}_module.so;\n" for name in ("ndk_http", "ngx_http_lua"))
    return nginx(folder, "lua", f"""
  lua_package_path "/usr/share/lua/5.1/?.lua;;";
  lua_shared_dict consumers 10m; lua_shared_dict windows 10m; lua_shared_dict totals 1m;
  init_by_lua_block {{
    require "resty.core"
    peer = require "ngx.balancer"
    local consumers, number = ngx.shared.consumers, 0
    for line in io.lines("{keys}") do consumers:set(line, "consumer-" .. number) number = number + 1 end
    services = {{ "/admin/", "/workspaces/", "/" }}
  }}
  upstream backend {{
    server 0.0.0.1;
    balancer_by_lua_block {{
      peer.set_timeouts(5, 60, 60)
      local done, problem = peer.set_current_peer("127.0.0.1", {upstream})
      if not done then ngx.log(ngx.ERR, problem) end
    }}
    keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s;
  }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{
      rewrite_by_lua_block {{
        local call, path = ngx.ctx, ngx.var.uri
        call.began = ngx.now()
        call.method = ngx.req.get_method()
        for place = 1, #services do
          if path:sub(1, #services[place]) == services[place] then call.service = place break end
        end
      }}
      access_by_lua_block {{
        local call = ngx.ctx
        local given = ngx.req.get_headers()["ocp-apim-subscription-key"]
        local consumer = given and ngx.shared.consumers:get(given)
        if not consumer then return ngx.exit(401) end
        local second = math.floor(ngx.now())
        local used = ngx.shared.windows:incr(consumer .. ":" .. second, 1, 0, 2) or 0
        if used > 100000000 then return ngx.exit(429) end
        call.consumer, call.left = consumer, 100000000 - used
        ngx.req.set_header("X-Consumer", consumer)
        ngx.req.set_header("X-Request-Id", ngx.var.request_id)
        ngx.req.clear_header("ocp-apim-subscription-key")
      }}
      header_filter_by_lua_block {{
        ngx.header["X-Total"] = "100000000"
        ngx.header["X-Remaining"] = ngx.ctx.left
        ngx.header["X-Request-Id"] = ngx.var.request_id
      }}
      body_filter_by_lua_block {{ ngx.ctx.sent = (ngx.ctx.sent or 0) + #(ngx.arg[1] or "") }}
      log_by_lua_block {{
        local call, totals = ngx.ctx, ngx.shared.totals
        local name = (call.consumer or "none") .. ":" .. ngx.status
        totals:incr(name, 1, 0)
        totals:incr(name .. ":bytes", call.sent or 0, 0)
        totals:incr(name .. ":ms", (ngx.now() - call.began) * 1000, 0)
      }}
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
    }} }}""", modules)


def envoy_rate_limited(folder, port, upstream, key):
    """Envoy with a local rate limit, and a route for one key."""
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    limit = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    address = lambda number: {"socket_address": {"address": "127.0.0.1", "port_value": number}}
    typed = lambda name: {"@type": f"type.googleapis.com/{name}"}
    route = {"match": {"prefix": "/", "headers": [{"name": "ocp-apim-subscription-key", "string_match": {"exact": key}}]},
             "route": {"cluster": "backend"}}
    filters = [
        {"name": "limit", "typed_config": {
            **typed(limit), "stat_prefix": "limit", "filter_enabled": always, "filter_enforced": always,
            "token_bucket": {"max_tokens": 100000000, "tokens_per_fill": 100000000, "fill_interval": "1s"}}},
        {"name": "router", "typed_config": typed("envoy.extensions.filters.http.router.v3.Router")}]
    listener = {"name": "in", "address": address(port), "filter_chains": [{"filters": [{"name": "http", "typed_config": {
        **typed(manager), "stat_prefix": "in", "codec_type": "HTTP1", "generate_request_id": False, "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}}}]}]}
    most = {"max_connections": 10000, "max_pending_requests": 10000, "max_requests": 10000}
    cluster = {"name": "backend", "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [most]},
               "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [{"endpoint": {
                   "address": address(upstream)}}]}]}}
    path = pathlib.Path(folder) / "envoy.json"
    path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    return [envoy(), "--concurrency", "1", "-l", "error", "--disable-hot-restart", "-c", str(path)]


def envoy():
    """The binary that the PyPI package brings."""
    found = glob.glob(str(ROOT / ".venv-peers/lib/python*/site-packages/envoy/_bin/envoy"))
    if not found or not os.access(found[0], os.X_OK):
        raise SystemExit("Envoy is not there: scripts/bootstrap peers")
    return found[0]
