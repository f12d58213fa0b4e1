"""Reads the documentation through MCP with the protocol's own client. Usage: mcp_client.py URL COLLECT_URL."""

import asyncio
import json
import sys

from mcp import Client


async def main(url: str, collect: str) -> None:
    async with Client(url) as client:
        print("server:", client.server_info.name, "protocol:", client.protocol_version)
        assert client.server_info.name == "strongroom"

        async def call(tool: str, **arguments) -> str:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, (tool, result)
            return result.content[0].text

        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {
            "list_operations",
            "search_operations",
            "get_operation",
            "list_guides",
            "read_guide",
        }, sorted(tools)
        assert all(tool.annotations.read_only_hint for tool in tools.values())

        listed = json.loads(await call("list_operations"))
        for operation in listed:
            one = json.loads(await call("get_operation", operation_id=operation["operation_id"]))
            assert one["path"] == operation["path"] and one["operation"]["responses"], one
        found = json.loads(await call("search_operations", query="upload x-filename"))
        assert [one["operation_id"] for one in found] == ["uploadBackup"], found
        upload = json.loads(await call("get_operation", operation_id="uploadBackup"))
        assert upload["server"] == collect, upload["server"]
        assert "BackupMetadata" in upload["components"]["schemas"]

        guides = json.loads(await call("list_guides"))
        for guide in guides:
            assert (await call("read_guide", name=guide["name"])).startswith("# "), guide
        wrong = await client.call_tool("read_guide", {"name": "nothing"})
        assert wrong.is_error, wrong
        print(f"{len(tools)} tools, {len(listed)} operations, {len(guides)} guides")


asyncio.run(main(*sys.argv[1:]))
