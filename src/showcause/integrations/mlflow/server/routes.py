"""Every route of MLflow that changes something, by the function that serves it: guarded, or why it needs no guard.

A function serves its route under every prefix (/api/2.0, /api/3.0, /ajax-api/…, --static-prefix), so none can be
forgotten. What stands in neither list is refused (`unknown-route`): a later MLflow may add a route, and nobody has
looked at it. A test walks all routes of the installed MLflow, alone and with its basic-auth app.
"""

from __future__ import annotations

TRACES = "traces and what is said about them; no model is served from them"
DATA = "evaluation datasets and their tags"
GATEWAY = "the gateway to language models; it serves none of the registry"
REVIEWS = "queues, issues and labels of people who look at traces"
SCORERS = "scorers of traces"
JOBS = "MLflow's own fixed jobs; they write through the same routes, or prompts and traces alone"
READS = "reads, although it is no GET"
ACCOUNTS = "users, roles and permissions of the basic-auth app"
WEBHOOKS = "who is told of changes"
WORDS = "a description for people; nothing of ours believes it"
RUNS = "adds to a run what no snapshot rests on"
BACK = "brings back what was deleted; nothing is served by that"

HARMLESS: dict[str, str] = {
    **dict.fromkeys(
        (
            "_batch_get_trace_infos", "_calculate_trace_filter_correlation", "_create_presigned_download_url",
            "_get_latest_versions", "_not_implemented", "_query_trace_metrics", "_search_evaluation_datasets_handler",
            "_search_experiments", "_search_issues", "_search_logged_models", "_search_prompt_optimization_jobs",
            "_search_runs", "_search_traces_v3", "serve_search_datasets",
        ),
        READS,
    ),
    **dict.fromkeys(
        (
            "_create_assessment", "_delete_assessment", "_delete_trace_tag", "_delete_trace_tag_v3", "_delete_traces",
            "_deprecated_end_trace_v2", "_deprecated_start_trace_v2", "_link_prompts_to_trace", "_link_traces_to_run",
            "_set_trace_tag", "_set_trace_tag_v3", "_start_trace_v3", "_update_assessment",
        ),
        TRACES,
    ),
    **dict.fromkeys(
        (
            "_add_dataset_to_experiments_handler", "_create_dataset_handler", "_delete_dataset_handler",
            "_delete_dataset_records_handler", "_delete_dataset_tag_handler",
            "_remove_dataset_from_experiments_handler", "_set_dataset_tags_handler", "_upsert_dataset_records_handler",
        ),
        DATA,
    ),
    **dict.fromkeys(
        (
            "_add_guardrail_to_endpoint", "_attach_model_to_gateway_endpoint", "_create_budget_policy",
            "_create_gateway_endpoint", "_create_gateway_endpoint_binding", "_create_gateway_guardrail",
            "_create_gateway_model_definition", "_create_gateway_secret", "_delete_budget_policy",
            "_delete_gateway_endpoint", "_delete_gateway_endpoint_binding", "_delete_gateway_endpoint_tag",
            "_delete_gateway_guardrail", "_delete_gateway_model_definition", "_delete_gateway_secret",
            "_detach_model_from_gateway_endpoint", "_remove_guardrail_from_endpoint", "_set_gateway_endpoint_tag",
            "_update_budget_policy", "_update_endpoint_guardrail_config", "_update_gateway_endpoint",
            "_update_gateway_model_definition", "_update_gateway_secret", "serve_gateway_proxy",
        ),
        GATEWAY,
    ),
    **dict.fromkeys(
        (
            "_add_items_to_review_queue", "_create_issue", "_create_label_schema", "_create_review_queue",
            "_delete_label_schema", "_delete_review_queue", "_get_or_create_user_queue",
            "_remove_items_from_review_queue", "_set_review_queue_item_status", "_update_issue",
            "_update_label_schema", "_update_review_queue",
        ),
        REVIEWS,
    ),
    **dict.fromkeys(
        ("_delete_scorer", "_invoke_scorer_handler", "_register_scorer", "_upsert_online_scoring_config"), SCORERS
    ),
    **dict.fromkeys(
        (
            "_cancel_job", "_cancel_prompt_optimization_job", "_create_prompt_optimization_job",
            "_delete_prompt_optimization_job", "_invoke_genai_evaluate_handler", "_invoke_issue_detection_handler",
        ),
        JOBS,
    ),
    **dict.fromkeys(("_create_webhook", "_delete_webhook", "_test_webhook", "_update_webhook"), WEBHOOKS),
    **dict.fromkeys(("_update_model_version", "_update_registered_model"), WORDS),
    **dict.fromkeys(("_log_inputs", "_log_logged_model_params", "_log_metric", "_log_model", "_log_outputs"), RUNS),
    **dict.fromkeys(("_restore_experiment", "_restore_run"), BACK),
    **dict.fromkeys(("_delete_demo", "_generate_demo"), "MLflow's own demo: its experiment, traces and prompts"),
    "_abort_multipart_upload_artifact": "gives up an upload that was never completed",
    "_finalize_logged_model": "says whether logging ended; the gate reads the files",
    "serve_create_promptlab_run": "a new run of a prompt; it cannot touch another run",
    "serve_post_ui_telemetry": "MLflow's own statistics",
    **dict.fromkeys(
        ("_create_workspace_handler", "_delete_workspace_handler", "_update_workspace_handler"),
        "workspaces; the plugin does not start where they are enabled",
    ),
    **dict.fromkeys(
        (
            "add_role_permission", "assign_role", "create_role", "create_user", "delete_role", "delete_user",
            "grant_user_permission", "remove_role_permission", "revoke_user_permission", "unassign_role",
            "update_role", "update_role_permission", "update_user_admin", "update_user_password",
        ),
        ACCOUNTS,
    ),
}  # fmt: skip
# Routes without a name of their own, by path.
HARMLESS_PATHS: dict[str, str] = {"/api/2.0/mlflow/users/create-ui": ACCOUNTS}
# Routes that FastAPI serves beside the Flask app, by the module that they are written in.
NATIVE: dict[str, str] = {
    "mlflow.server.otel_api": TRACES,
    "mlflow.server.job_api": JOBS,
    "mlflow.server.gateway_api": GATEWAY,
    "mlflow.server.assistant.api": "MLflow's assistant, which acts as a client of the same routes",
    "mlflow.server.mcp_server_api": "a catalogue of MCP servers with aliases of its own, none of a model",
    "mlflow.server.server_info_api": READS,
}
NATIVE_GUARDED = "mlflow.server.artifact_router"
# GraphQL's mutations, all of which read.
MUTATIONS = frozenset({"mlflowSearchDatasets", "mlflowSearchRuns", "testMutation"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
