"""What the Django peer serves: the toolkit's endpoints and one protected resource."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from oauth2_provider.views.generic import ProtectedResourceView


class Me(ProtectedResourceView):
    """Whose the token is."""

    def get(self, request: HttpRequest) -> JsonResponse:
        """Return the user of the token."""
        user = request.resource_owner
        return JsonResponse({"id": user.pk, "email": user.email, "first_name": user.first_name})


urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")), path("me", Me.as_view())]
